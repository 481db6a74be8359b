package main

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"switchboard/appserver"
	"switchboard/service"
)

// A shop is the hub that is called by hand.
type shop struct{}

func (shop) Add(a, b int64) int64                 { return a + b }
func (shop) Echo(v any) any                       { return v }
func (shop) Header(ctx *appserver.Context) string { return ctx.Header().Get("X-Shop") }
func (shop) User(ctx *appserver.Context) string   { return ctx.UserID() }
func (shop) Fail() error                          { return appserver.Errorf("sold out") }
func (shop) Nothing()                             {}
func (shop) Count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
}

func (shop) CallMe(ctx *appserver.Context, target string, v any) error {
	return ctx.Clients().Caller().Send(ctx, target, v, "and more")
}

// Forever sends one item, and ends when the client cancels it.
func (shop) Forever(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		if yield(0) {
			<-ctx.Done()
		}
	}
}

// openShop returns the URL of a hub. Users have the name of their token.
func openShop(t *testing.T) string {
	t.Helper()
	svc, err := service.New(service.Config{})
	if err != nil {
		t.Fatal(err)
	}
	app, err := appserver.New(appserver.Config{Service: svc, Identify: func(r *http.Request) (appserver.Identity, error) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		return appserver.Identity{UserID: token}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.MapHub("/shop", &shop{}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		end, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := svc.Shutdown(end); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	if err := app.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return server.URL + "/shop"
}

// A lines is what a program prints, and tells of each line.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	said chan string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	select {
	case l.said <- string(b):
	default:
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func noInterrupts() (<-chan os.Signal, func()) { return nil, func() {} }

func TestConnectAndRunOneCommand(t *testing.T) {
	url := openShop(t)
	tests := []struct {
		args   []string
		code   int
		stdout string
		stderr string // regular expression
	}{
		{[]string{"invoke", "Add", "40", "2"}, 0, "42\n", ""},
		{[]string{"invoke", "Add", "9007199254740993", "0", "--protocol", "messagepack"}, 0, "9007199254740993\n", ""},
		{[]string{"invoke", "Echo", "plain text"}, 0, "\"plain text\"\n", ""},
		{[]string{"invoke", "Echo", `{"a":[1,"<b>"]}`}, 0, `{"a":[1,"<b>"]}` + "\n", ""},
		{[]string{"invoke", "Echo", `{"a":[1,"<b>"]}`, "--protocol", "messagepack", "--transport", "longpolling"}, 0, `{"a":[1,"<b>"]}` + "\n", ""},
		{[]string{"invoke", "Nothing"}, 0, "null\n", ""},
		{[]string{"invoke", "Header", "--header", "X-Shop: open", "--transport", "ServerSentEvents"}, 0, "\"open\"\n", ""},
		{[]string{"invoke", "User", "--token", "ann"}, 0, "\"ann\"\n", ""},
		{[]string{"stream", "Count", "3"}, 0, "0\n1\n2\n", ""},
		{[]string{"send", "Nothing"}, 0, "", ""},
		{[]string{"invoke", "Fail"}, 1, "", "HubException: sold out"},
		{[]string{"invoke", "Gone", "1"}, 1, "", "Method does not exist"},
		{[]string{"shout", "Gone"}, 2, "", `unknown command "shout": invoke, send or stream`},
		{[]string{"invoke"}, 2, "", "invoke: the name of a method is missing"},
		{[]string{"--protocol", "xml"}, 2, "", `--protocol: "xml" is neither`},
		{[]string{"--transport", "pigeons"}, 2, "", `--transport: "pigeons" is none of`},
		{[]string{"--header", "none"}, 2, "", `--header: "none" is not`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var out, errs strings.Builder
			p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, interrupts: noInterrupts}
			code := p.run(t.Context(), append([]string{"connect", url}, tt.args...))
			if code != tt.code || out.String() != tt.stdout || !regexp.MustCompile(tt.stderr).MatchString(errs.String()) {
				t.Errorf("code %d, printed %q and %q\nwant %d, %q and %q", code, out.String(), errs.String(), tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestConnectRefusals(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "the URL of a hub is missing"},
		{[]string{"chat"}, 2, `"chat" is not an absolute http or https URL`},
		{[]string{server.URL + "/chat"}, 1, "negotiate: 404 page not found: Status code '404'"},
	} {
		var errs strings.Builder
		p := program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &errs, interrupts: noInterrupts}
		if code := p.run(t.Context(), append([]string{"connect"}, tt.args...)); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("connect %q: code %d, printed %q, want %d and %q", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
}

// A conversation: each line of the program is an answer to what was typed before.
func TestConnectByHand(t *testing.T) {
	url := openShop(t)
	typed, keyboard := io.Pipe()
	said := make(chan string, 1000)
	out, notes := &lines{said: said}, &lines{said: said}
	p := program{stdin: typed, stdout: out, stderr: notes, interrupts: noInterrupts}
	code := make(chan int, 1)
	go func() { code <- p.run(context.Background(), []string{"connect", url}) }()
	say := func(line, want string) {
		t.Helper()
		if line != "" {
			_, _ = io.WriteString(keyboard, line+"\n")
		}
		if got := <-said; !regexp.MustCompile("^" + want + "\n$").MatchString(got) {
			t.Fatalf("%q: printed %q, want %q", line, got, want)
		}
	}
	say("", `connected as [\w-]+; "help" lists the commands`)
	say("help", "commands: invoke METHOD ARGUMENT.*")
	say("invoke Add 1 2", "= 3")
	say(`invoke echo {"a": [1, 2]}`, `= {"a":\[1,2\]}`)
	say("invoke Echo word", `= "word"`)
	say("invoke Fail", ".*HubException: sold out")
	say(`send CallMe Ring "a b"`, `Ring "a b" "and more"`)
	say("stream Count 2", "- 0")
	say("", "- 1")
	say("stream Forever", "- 0")
	say("cancel", ".*context canceled")
	say("invoke Add 3 4", "= 7")
	_ = keyboard.Close()
	if got := <-code; got != 0 {
		t.Errorf("code %d, want 0", got)
	}
}
