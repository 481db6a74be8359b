package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"switchboard/appserver"
)

// Hub has everything that the cases call. What it sends goes to "Receive".
type Hub struct{ endings *endings }

func (h *Hub) OnConnected(ctx *appserver.Context) error {
	query := ctx.Query()
	if query.Has("refuse") {
		return appserver.Errorf("no entry")
	}
	if query.Has("welcome") {
		return ctx.Clients().Caller().Send(ctx, "Receive", "welcome")
	}
	return nil
}

func (h *Hub) OnDisconnected(ctx *appserver.Context, err error) {
	h.endings.tell(ctx.ConnectionID(), err)
}

// Who is calling.

type identity struct {
	UserID string   `json:"userId"`
	Claims []string `json:"claims"`
}

type request struct {
	Path       string   `json:"path"`
	RemoteAddr string   `json:"remoteAddr"`
	Query      []string `json:"query"`
	Headers    []string `json:"headers"`
}

func (h *Hub) ConnectionID(ctx *appserver.Context) string { return ctx.ConnectionID() }

func (h *Hub) WhoAmI(ctx *appserver.Context) identity {
	i := identity{ctx.UserID(), []string{}}
	for _, c := range ctx.Claims() {
		i.Claims = append(i.Claims, c.Type+"="+c.Value)
	}
	return i
}

func (h *Hub) Request(ctx *appserver.Context, query, headers []string) request {
	r := request{Path: ctx.Path(), RemoteAddr: ctx.RemoteAddr(), Query: []string{}, Headers: []string{}}
	for _, name := range query {
		r.Query = append(r.Query, ctx.Query().Get(name))
	}
	for _, name := range headers {
		r.Headers = append(r.Headers, ctx.Header().Get(name))
	}
	return r
}

// Results and errors.

type person struct {
	Name string   `json:"name"`
	Born int      `json:"born"`
	Tags []string `json:"tags"`
}

func (h *Hub) Add(a, b int) int              { return a + b }
func (h *Hub) Echo(value any) any            { return value }
func (h *Hub) EchoText(text string) string   { return text }
func (h *Hub) EchoBytes(bytes []byte) []byte { return bytes }
func (h *Hub) EchoPerson(p person) person    { return p }
func (h *Hub) Nothing()                      {}
func (h *Hub) Fail() error                   { return errors.New("the disk is full") }
func (h *Hub) FailTold(text string) error {
	return fmt.Errorf("wrapped: %w", appserver.Errorf("%s", text))
}
func (h *Hub) Panic() { panic("a mistake in a hub") }

func (h *Hub) Remember(ctx *appserver.Context, text string) { ctx.Items().Store("text", text) }

func (h *Hub) Recall(ctx *appserver.Context) any {
	text, _ := ctx.Items().Load("text")
	return text
}

// Streams.

func (h *Hub) StreamNumbers(n int) <-chan int {
	numbers := make(chan int)
	go func() {
		defer close(numbers)
		for i := range n {
			numbers <- i // the cases take all
		}
	}()
	return numbers
}

func (h *Hub) StreamPersons(people []person) iter.Seq[person] { return slices.Values(people) }

// StreamThenFail brings n numbers and an error.
func (h *Hub) StreamThenFail(n int, text string) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, appserver.Errorf("%s", text))
	}
}

// StreamForever brings numbers until the client has enough, and then says so.
func (h *Hub) StreamForever(ctx *appserver.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for i := 0; ctx.Err() == nil && yield(i); i++ {
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		_ = ctx.Clients().Caller().Send(context.WithoutCancel(ctx), "Receive", "stream ended") // the client may be gone
	}
}

// Uploads.

func (h *Hub) UploadNumbers(numbers iter.Seq2[int, error]) ([]int, error) {
	got := []int{}
	for n, err := range numbers {
		if err != nil {
			return nil, err
		}
		got = append(got, n)
	}
	return got, nil
}

type crew struct {
	Title  string   `json:"title"`
	People []person `json:"people"`
}

func (h *Hub) UploadPersons(title string, people iter.Seq[person]) crew {
	return crew{title, slices.Collect(people)}
}

// UploadPair takes one stream after the other.
func (h *Hub) UploadPair(numbers <-chan int, separator string, words iter.Seq[string]) string {
	text := ""
	for n := range numbers {
		text += fmt.Sprint(n, " ")
	}
	text += separator
	for w := range words {
		text += " " + w
	}
	return text
}

func (h *Hub) UploadDoubled(numbers <-chan int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range numbers {
			if !yield(2 * n) {
				return
			}
		}
	}
}

func (h *Hub) UploadNumbersAndTell(ctx *appserver.Context, numbers <-chan int) error {
	got := []int{}
	for n := range numbers {
		got = append(got, n)
	}
	return ctx.Clients().Caller().Send(ctx, "Receive", got)
}

// UploadSlowly takes an item a millisecond.
func (h *Hub) UploadSlowly(numbers <-chan int) []int {
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	var got []int
	for n := range numbers {
		<-pace.C
		got = append(got, n)
	}
	return got
}

func (h *Hub) UploadFirst(numbers <-chan int) int { return <-numbers }

// Results of clients.

func (h *Hub) AskCaller(ctx *appserver.Context, question string) (string, error) {
	return appserver.Invoke[string](ctx, ctx.Clients().Caller(), "Ask", question)
}

func (h *Hub) AskClient(ctx *appserver.Context, id, question string) (string, error) {
	return appserver.Invoke[string](ctx, ctx.Clients().Client(id), "Ask", question)
}

func (h *Hub) AskPerson(ctx *appserver.Context, p person) (person, error) {
	return appserver.Invoke[person](ctx, ctx.Clients().Caller(), "AskPerson", p)
}

// Audiences.

func (h *Hub) ToAll(ctx *appserver.Context, value any) error {
	return ctx.Clients().All().Send(ctx, "Receive", value)
}

func (h *Hub) ToOthers(ctx *appserver.Context, value any) error {
	return ctx.Clients().Others().Send(ctx, "Receive", value)
}

func (h *Hub) ToCaller(ctx *appserver.Context, value any) error {
	return ctx.Clients().Caller().Send(ctx, "Receive", value)
}

func (h *Hub) ToAllExcept(ctx *appserver.Context, ids []string, value any) error {
	return ctx.Clients().AllExcept(ids...).Send(ctx, "Receive", value)
}

func (h *Hub) ToClients(ctx *appserver.Context, ids []string, value any) error {
	if len(ids) == 1 {
		return ctx.Clients().Client(ids[0]).Send(ctx, "Receive", value)
	}
	return ctx.Clients().Clients(ids...).Send(ctx, "Receive", value)
}

func (h *Hub) ToUsers(ctx *appserver.Context, users []string, value any) error {
	if len(users) == 1 {
		return ctx.Clients().User(users[0]).Send(ctx, "Receive", value)
	}
	return ctx.Clients().Users(users...).Send(ctx, "Receive", value)
}

func (h *Hub) ToGroup(ctx *appserver.Context, group string, value any) error {
	return ctx.Clients().Group(group).Send(ctx, "Receive", value)
}

func (h *Hub) ToGroups(ctx *appserver.Context, groups []string, value any) error {
	return ctx.Clients().Groups(groups...).Send(ctx, "Receive", value)
}

func (h *Hub) ToGroupExcept(ctx *appserver.Context, group string, ids []string, value any) error {
	return ctx.Clients().GroupExcept(group, ids...).Send(ctx, "Receive", value)
}

func (h *Hub) ToOthersInGroup(ctx *appserver.Context, group string, value any) error {
	return ctx.Clients().OthersInGroup(group).Send(ctx, "Receive", value)
}

func (h *Hub) Join(ctx *appserver.Context, group string) error { return ctx.Groups().Join(ctx, group) }
func (h *Hub) Leave(ctx *appserver.Context, group string) error {
	return ctx.Groups().Leave(ctx, group)
}

func (h *Hub) AddMember(ctx *appserver.Context, id, group string) error {
	return ctx.Groups().Add(ctx, id, group)
}

func (h *Hub) RemoveMember(ctx *appserver.Context, id, group string) error {
	return ctx.Groups().Remove(ctx, id, group)
}

// Order and ends.

func (h *Hub) SendNumbers(ctx *appserver.Context, n int) error {
	for i := range n {
		if err := ctx.Clients().Caller().Send(ctx, "Receive", i); err != nil {
			return err
		}
	}
	return nil
}

// SendNumbersInTurn sends the even numbers to one client and the odd ones to all.
func (h *Hub) SendNumbersInTurn(ctx *appserver.Context, id string, n int) error {
	for i := range n {
		audience := ctx.Clients().Client(id)
		if i%2 == 1 {
			audience = ctx.Clients().All()
		}
		if err := audience.Send(ctx, "Receive", i); err != nil {
			return err
		}
	}
	return nil
}

// Count sends n back if it is the number of calls before this one. Calls of one
// client do not overlap.
func (h *Hub) Count(ctx *appserver.Context, n int) (int, error) {
	counted := h.Counted(ctx)
	if n != counted {
		return 0, appserver.Errorf("got %d, want %d", n, counted)
	}
	ctx.Items().Store("counted", n+1)
	return n, ctx.Clients().Caller().Send(ctx, "Receive", n)
}

func (h *Hub) Counted(ctx *appserver.Context) int {
	counted, _ := ctx.Items().Load("counted")
	n, _ := counted.(int)
	return n
}

// Wait says that it waits, and returns when the client is gone.
func (h *Hub) Wait(ctx *appserver.Context) error {
	if err := ctx.Clients().Caller().Send(ctx, "Receive", "waiting"); err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (h *Hub) Abort(ctx *appserver.Context) { ctx.Abort() }

func (h *Hub) SayAndAbort(ctx *appserver.Context, value any) error {
	defer ctx.Abort()
	return ctx.Clients().Caller().Send(ctx, "Receive", value)
}
