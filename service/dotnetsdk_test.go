package service_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/vmihailenco/msgpack/v5"

	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// A dotnetSDK behaves on the wire as the package Microsoft.Azure.SignalR does.
// It shares no code with the service: its reader is as strict as that of
// version 1.25, which loses sync at extension keys it does not know, throws at
// nil where it expects text, and compares nothing about frame boundaries.
type dotnetSDK struct {
	t        *testing.T
	ws       *websocket.Conn
	modern   bool   // it is as version 1.33
	received []byte // not read yet
	lastPing time.Time
	pings    int // from the service
}

// dialDotnetSDK connects with a token as the SDK signs it: the audience is made
// of the connection string's endpoint without its port, and kid is random.
func dialDotnetSDK(t *testing.T, svc *servicetest.Service, hub string, header http.Header) *dotnetSDK {
	t.Helper()
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"nameid": "MACHINE_0123456789abcdef", "aud": "http://localhost/server/?hub=" + hub,
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	token.Header["kid"] = fmt.Sprint(-now.UnixNano() % 2147483647)
	signed, err := token.SignedString([]byte(servicetest.Key))
	if err != nil {
		t.Fatal(err)
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", "Bearer "+signed)
	header.Set("Asrs-User-Agent", "Microsoft.Azure.SignalR/1.25.1 (.NET 8.0.3; Linux; X64)")
	header.Set("X-Requested-With", "XMLHttpRequest")
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, strings.Replace(svc.URL, "http", "ws", 1)+"/server/?hub="+hub+"&cid=7e2b7d3c-0000-4000-8000-000000000001",
		&websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &dotnetSDK{t: t, ws: ws, lastPing: now}
}

// write sends arrays in one WebSocket message, cut in two where cut says.
func (s *dotnetSDK) write(arrays ...[]any) {
	s.t.Helper()
	var all []byte
	for _, array := range arrays {
		var body bytes.Buffer
		enc := msgpack.NewEncoder(&body)
		enc.UseCompactInts(true)
		if err := enc.Encode(array); err != nil {
			s.t.Fatal(err)
		}
		all = append(binary.AppendUvarint(all, uint64(body.Len())), body.Bytes()...)
	}
	half := len(all) / 2 // frame boundaries mean nothing
	for _, part := range [][]byte{all[:half], all[half:]} {
		ctx, cancel := context.WithTimeout(s.t.Context(), servicetest.Wait)
		err := s.ws.Write(ctx, websocket.MessageBinary, part)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// read returns the next message that is no keep-alive.
func (s *dotnetSDK) read() []any {
	s.t.Helper()
	for {
		m := s.readAny()
		if len(m) == 1 && number(m[0]) == 3 {
			s.pings++
			continue
		}
		return m
	}
}

func (s *dotnetSDK) readAny() []any {
	s.t.Helper()
	for {
		length, n := binary.Uvarint(s.received)
		if n > 0 && len(s.received) >= n+int(length) {
			body := s.received[n : n+int(length)]
			s.received = s.received[n+int(length):]
			return s.decode(body)
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), servicetest.Wait)
		kind, data, err := s.ws.Read(ctx)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
		if kind != websocket.MessageBinary {
			s.t.Fatalf("the service sent a message of kind %v, want binary", kind)
		}
		s.received = append(s.received, data...)
		if time.Since(s.lastPing) > 5*time.Second { // only ever after receiving
			s.lastPing = time.Now()
			s.write([]any{3})
		}
	}
}

// extensions that version 1.25 can read, by message type; -1: the element must be missing.
var strictExtensions = map[int]struct {
	length, at int
	keys       []int
}{
	2: {4, 2, nil}, 4: {6, 5, []int{1, 3}}, 5: {5, 4, []int{1}}, 6: {4, 3, []int{1}}, 20: {5, 4, nil}, 3: {0, -1, nil},
	34: {6, 5, []int{1}}, 35: {7, 6, []int{1, 3}}, 36: {6, 5, []int{1}}, 37: {5, 4, nil},
}

// modernExtensions are those that version 1.33 knows besides.
var modernExtensions = map[int][]int{6: {1, 5, 6}}

func (s *dotnetSDK) decode(body []byte) []any {
	s.t.Helper()
	dec := msgpack.NewDecoder(bytes.NewReader(body))
	dec.SetMapDecoder(func(d *msgpack.Decoder) (any, error) { // in order, repeated keys kept
		n, err := d.DecodeMapLen()
		if err != nil {
			return nil, err
		}
		pairs := [][2]any{}
		for range n {
			key, err := d.DecodeInterface()
			if err != nil {
				return nil, err
			}
			value, err := d.DecodeInterface()
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, [2]any{key, value})
		}
		return pairs, nil
	})
	array, err := dec.DecodeSlice()
	if err != nil {
		s.t.Fatalf("the service sent %x: %v", body, err)
	}
	s.checkExtensions(array)
	return array
}

func (s *dotnetSDK) checkExtensions(array []any) {
	s.t.Helper()
	rule, known := strictExtensions[number(array[0])]
	if s.modern {
		switch number(array[0]) {
		case 38:
			return
		case 20:
			rule.length = len(array)
		case 6:
			rule.keys = modernExtensions[6]
		}
	}
	if !known {
		s.t.Fatalf("the service sent type %v, which this SDK never needs", array[0])
	}
	if rule.at < 0 {
		return
	}
	if len(array) != rule.length {
		s.t.Fatalf("type %v has %d elements, want %d", array[0], len(array), rule.length)
	}
	for _, pair := range array[rule.at].([][2]any) {
		allowed := false
		for _, key := range rule.keys {
			allowed = allowed || number(pair[0]) == key
		}
		if !allowed {
			s.t.Fatalf("type %v carries extension %v, which this version cannot read", array[0], pair[0])
		}
	}
}

func number(v any) int {
	var n int
	_, _ = fmt.Sscan(fmt.Sprint(v), &n)
	return n
}

func TestDotnetSDK(t *testing.T) {
	versions := []struct {
		name      string
		header    http.Header
		handshake []any
		ext       map[int]any // on what it sends for clients
		serverID  string
	}{
		{"1.0 to 1.10, id in the token only", nil, []any{1, 1}, map[int]any{}, "MACHINE_0123456789abcdef"},
		{"1.25", http.Header{"X-Asrs-Server-Id": {"HOST_1"}}, []any{1, 1, 0, "", 0, map[int]any{}}, map[int]any{}, "HOST_1"},
		{"1.33, typed data and unknown extensions", http.Header{"X-Asrs-Server-Id": {"HOST_1"}},
			[]any{1, 1, 0, "", 0, map[int]any{}, false}, map[int]any{5: 2, 99: []any{"future", map[string]any{"x": nil}}}, "HOST_1"},
	}
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Ping: 20 * time.Millisecond}})
			sdk := dialDotnetSDK(t, svc, "chat", v.header)
			sdk.write(v.handshake)
			if got, want := fmt.Sprint(sdk.read()), "[2  [] 7e2b7d3c-0000-4000-8000-000000000001]"; got != want {
				t.Fatalf("handshake response = %s, want %s", got, want)
			}
			sdk.write([]any{3, "status", "1"}, []any{3, "servers", ""})
			if got, want := fmt.Sprint(sdk.read()), "[3 status 0 clientcount 0 servercount 1]"; got != want {
				t.Errorf("status = %s, want %s", got, want)
			}
			if got := fmt.Sprint(sdk.read()[2]); !strings.HasSuffix(got, ":"+v.serverID) {
				t.Errorf("servers = %s, want a time and %s", got, v.serverID)
			}

			client := svc.Client("chat", "json", derror)
			open := sdk.read()
			id := open[1].(string)
			for _, pair := range open[2].([][2]any) {
				if pair[0] == nil || pair[1] == nil {
					t.Errorf("claim %v, want no nil", pair)
				}
			}
			for _, pair := range open[3].([][2]any) {
				if values := pair[1].([]any); len(values) == 0 {
					t.Errorf("header %v has no value", pair[0])
				}
			}
			if query := open[4].(string); !strings.HasPrefix(query, "?") {
				t.Errorf("query string = %q, want a question mark first", query)
			}
			if got, want := fmt.Sprint(open[5]), "[[3 json]]"; got != want {
				t.Errorf("extensions of OpenConnection = %s, want %s", got, want)
			}
			if data := sdk.read(); string(data[2].([]byte)) != `{"protocol":"json","version":1}`+"\x1e" {
				t.Errorf("first data = %q, want the handshake request", data[2])
			}

			// What OnConnectedAsync sends overtakes the handshake response, which is cut in two.
			hello := `{"type":1,"target":"hello","arguments":[]}` + "\x1e"
			sdk.write(
				[]any{7, []any{id}, map[string]any{"json": []byte(hello), "messagepack": []byte{0}}, v.ext},
				[]any{6, id, []byte("{"), v.ext}, []any{6, id, []byte("}\x1e"), v.ext},
			)
			client.Expect("{}\x1e" + hello)

			sdk.write([]any{18, id, "room", 1, map[int]any{}},
				[]any{13, "room", []any{}, map[string]any{"JSON": []byte(hello)}, map[int]any{}, []any{}, nil},
				[]any{18, "nobody", "room", 2, map[int]any{}})
			if got, want := fmt.Sprint(sdk.read(), sdk.read()), "[20 1 1  []] [20 2 2  []]"; got != want {
				t.Errorf("acks = %s, want %s", got, want)
			}
			client.Expect(hello)

			_ = client.Close(websocket.StatusNormalClosure, "")
			if got, want := fmt.Sprint(sdk.read()), "[5 "+id+"  [] []]"; got != want {
				t.Errorf("close = %s, want %s", got, want)
			}
			for sdk.pings == 0 { // the SDK pings only if the service does
				if m := sdk.readAny(); len(m) == 1 {
					sdk.pings++
				}
			}
			sdk.write([]any{200, "a future type"}, []any{3, "echo", "alive"})
			if got, want := fmt.Sprint(sdk.read()), "[3 echo alive]"; got != want {
				t.Errorf("echo = %s, want %s", got, want)
			}
			_ = sdk.ws.Close(websocket.StatusNormalClosure, "")
		})
	}
}

// hostSDK is one of several app servers, which have the option MigrateClients.
func hostSDK(t *testing.T, svc *servicetest.Service, id string, modern bool) *dotnetSDK {
	t.Helper()
	sdk := dialDotnetSDK(t, svc, "chat", http.Header{"X-Asrs-Server-Id": {id}})
	handshake := []any{1, 1, 0, "", 1, map[int]any{}}
	if sdk.modern = modern; modern {
		handshake = append(handshake, true)
	}
	sdk.write(handshake)
	sdk.want("[2  [] 7e2b7d3c-0000-4000-8000-000000000001]")
	return sdk
}

func (s *dotnetSDK) want(want string) {
	s.t.Helper()
	if got := printed(s.read()); got != want {
		s.t.Fatalf("the SDK got %s\nwant %s", got, want)
	}
}

// printed shows bytes as text.
func printed(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, printed(part))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case [][2]any:
		var parts []string
		for _, pair := range v {
			parts = append(parts, printed(pair[0])+":"+printed(pair[1]))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// accepts takes a client and answers its handshake, and returns the client's id and headers.
func (s *dotnetSDK) accepts(handshake string, answers bool) (id, headers string) {
	s.t.Helper()
	open := s.read()
	if number(open[0]) != 4 || printed(open[5]) != "[3:json]" {
		s.t.Fatalf("the SDK got %s, want a client", printed(open))
	}
	id = open[1].(string)
	s.want("[6 " + id + " " + handshake + " []]")
	if answers {
		s.write([]any{6, id, []byte("{}\x1e"), s.kind(1)})
	}
	return id, printed(open[3])
}

// kind are the extensions of data: version 1.33 tells what it is.
func (s *dotnetSDK) kind(n int) map[int]any {
	if s.modern {
		return map[int]any{5: n}
	}
	return map[int]any{}
}

// What server connections are for besides data, as unmodified app servers see it: results of
// clients of other app servers, a client that is moved, a connection that is asked for, a loss.
func TestDotnetSDKFlows(t *testing.T) {
	for name, modern := range map[string]bool{"1.25": false, "1.33": true} {
		t.Run(name, func(t *testing.T) {
			svc := servicetest.Start(t, service.Config{InstanceID: "here", Timeouts: service.Timeouts{Ping: 20 * time.Millisecond}})
			one := hostSDK(t, svc, "HOST_1", modern)
			first := svc.Client("chat", "json")
			a, _ := one.accepts(hello, true)
			first.Expect("{}\x1e")
			one.write([]any{18, a, "room", 1, map[int]any{}})
			one.want("[20 1 1  []]")
			two := hostSDK(t, svc, "HOST_2", modern)
			second := svc.Client("chat", "json")
			b, _ := two.accepts(hello, true)
			second.Expect("{}\x1e")

			// A client of another app server is asked for a result.
			question := `{"type":1,"invocationId":"i-1","target":"ask","arguments":[]}` + "\x1e"
			result := `{"type":3,"invocationId":"i-1","result":42}` + "\x1e"
			two.write([]any{34, "i-1", a, "HOST_2", map[string]any{"json": []byte(question)}, map[int]any{}})
			one.want("[34 i-1 " + a + " HOST_2 [] []]")
			two.want("[37 i-1 " + a + " here []]")
			first.Expect(question)
			first.Send(result)
			one.want("[6 " + a + " " + result + " []]")
			one.write([]any{35, "i-1", a, "HOST_1", "json", []byte(result), map[int]any{3: "json"}})
			two.want("[35 i-1 " + a + " HOST_2 json " + result + " [3:json]]")
			// Its own client: nothing but that it is done.
			two.write([]any{34, "i-2", b, "HOST_2", map[string]any{"json": []byte(question)}, map[int]any{}})
			second.Expect(question)
			two.write([]any{35, "i-2", b, "HOST_2", "json", []byte{}, map[int]any{3: "json"}})
			// One that is not there, and one that goes.
			two.write([]any{34, "i-3", "nobody", "HOST_2", map[string]any{"json": []byte(question)}, map[int]any{}})
			two.want("[36 i-3 nobody HOST_2 Connection 'nobody' does not exist. []]")

			if modern {
				one.write([]any{40, map[int]any{}, "room", 2, 10, nil})
				members := one.read()
				if got := printed(members[:5]); got != "[20 2 1  []]" {
					t.Errorf("the group is answered by %s", got)
				}
				var page []any
				if err := msgpack.Unmarshal(members[5].([]byte), &page); err != nil || fmt.Sprint(page) != "[[["+a+" <nil>]] <nil>]" {
					t.Errorf("members are %v, %v", page, err)
				}
			}

			// One shuts down; its client goes to two, which swallows the answer to the handshake.
			one.write([]any{3, "shutdown", "fin:1"})
			one.want("[3 shutdown finack]")
			one.want("[5 " + a + "  [Asrs-Migrate-To:[HOST_2]] []]")
			if _, headers := two.accepts(hello, false); !strings.Contains(headers, "Asrs-Migrate-From:[HOST_1]") {
				t.Errorf("headers of a client that is moved: %s", headers)
			}
			one.write([]any{3, "shutdown", "fin:1"}) // it asks once more when it has not heard
			one.want("[3 shutdown finack]")
			text := `{"type":1,"target":"t","arguments":[]}` + "\x1e"
			two.write([]any{13, "room", []any{}, map[string]any{"json": []byte(text)}, map[int]any{}, []any{}, nil})
			first.Expect(text)
			first.Send(text)
			two.want("[6 " + a + " " + text + " []]")
			_ = one.ws.Close(websocket.StatusNormalClosure, "")

			// Two breaks off while it waits for a result.
			three := hostSDK(t, svc, "HOST_3", modern)
			three.write([]any{34, "i-4", a, "HOST_3", map[string]any{"json": []byte(question)}, map[int]any{}})
			two.want("[34 i-4 " + a + " HOST_3 [] []]")
			three.want("[37 i-4 " + a + " here []]")
			first.Expect(question)
			_ = two.ws.CloseNow()
			three.want("[36 i-4 " + a + " HOST_3 Connection '" + a + "' is disconnected. []]")
			lost := `{"type":7,"error":"Server connection dropped.","allowReconnect":true}` + "\x1e"
			first.Expect(lost)
			second.Expect(lost)
		})
	}
}

// A client of an app server with stateful reconnect loses its socket in the middle of a message.
// The SDK gets whole messages only, each once, and needs no flag for parts.
func TestDotnetSDKStatefulReconnect(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	sdk := hostSDK(t, svc, "HOST_1", true)
	_, body := request(t, "POST", svc.URL+"/client/negotiate?hub=chat&negotiateVersion=1&useStatefulReconnect=true", servicetest.Token(t, "/client", "chat"), nil)
	var answer struct {
		ConnectionToken      string
		UseStatefulReconnect bool
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || !answer.UseStatefulReconnect {
		t.Fatalf("negotiate: %s, %v", body, err)
	}
	dial := func() *servicetest.Client {
		return svc.Dial("/client/?hub=chat&id="+answer.ConnectionToken, servicetest.Token(t, "/client", "chat"))
	}
	client := dial()
	handshake := `{"protocol":"json","version":2}` + "\x1e"
	client.Send(handshake)
	id, _ := sdk.accepts(handshake, true)
	client.Expect("{}\x1e")
	text := `{"type":1,"target":"t","arguments":[]}` + "\x1e"
	client.Send(text + text[:10])
	sdk.want("[6 " + id + " " + text + " []]")
	_ = client.CloseNow()
	client = dial()
	client.Send(`{"type":9,"sequenceId":1}` + "\x1e" + text + text)
	sdk.want("[38 " + id + " []]")
	sdk.want("[6 " + id + " " + text + " []]") // the first of the two has come before
	reply := `{"type":1,"target":"r","arguments":[]}` + "\x1e"
	sdk.write([]any{6, id, []byte(reply), sdk.kind(2)})
	for got := ""; !strings.Contains(got, reply); { // behind the service's own bookkeeping
		got += client.Next()
	}
}

// A bad token must be a 401 to the upgrade: the SDK looks for that status.
func TestDotnetSDKWithWrongKey(t *testing.T) {
	svc := servicetest.Start(t, service.Config{AccessKeys: []string{"another key"}})
	_, err := svc.DialAppServer("chat", serviceprotocol.HandshakeRequest{Version: 1})
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("error = %v, want a 401", err)
	}
}
