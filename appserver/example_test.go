package appserver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"switchboard/appserver"
	"switchboard/service"
)

// Chat is a hub. Its exported methods are what clients may call.
type Chat struct{}

// Send gives a message to everybody.
func (*Chat) Send(ctx *appserver.Context, text string) error {
	return ctx.Clients().All().Send(ctx, "Receive", ctx.UserID(), text)
}

func Example() {
	app, err := appserver.New(appserver.Config{
		ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := app.MapHub("/chat", &Chat{}); err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe(":5000", app)) }()
	log.Fatal(app.Run(context.Background()))
}

// With a service in the same process there is nothing else to start, and
// nothing but the configuration changes when the service moves elsewhere.
func Example_oneProcess() {
	svc, err := service.New(service.Config{})
	if err != nil {
		log.Fatal(err)
	}
	app, err := appserver.New(appserver.Config{Service: svc})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := app.MapHub("/chat", &Chat{}); err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe(":5000", app)) }()
	log.Fatal(app.Run(context.Background()))
}

// Each region has a service of its own. Its clients stay there as long as it works, and what
// is for one tenant goes to one region only.
func Example_severalServices() {
	app, err := appserver.New(appserver.Config{
		Endpoints: []appserver.ServiceEndpoint{
			{Name: "east", ConnectionString: os.Getenv("EAST_CONNECTION_STRING")},
			{Name: "west", ConnectionString: os.Getenv("WEST_CONNECTION_STRING"), Type: appserver.Secondary},
		},
		MessageRouter: tenants{},
	})
	if err != nil {
		log.Fatal(err)
	}
	hub, err := app.MapHub("/chat", &Chat{})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(app.Run(context.Background())) }()
	for _, e := range hub.Endpoints() {
		log.Println(e.Name(), e.Type(), e.Online(), e.Stats().ServiceClients)
	}
	// West is closed: its clients come to east.
	err = app.SetEndpoints(context.Background(), []appserver.ServiceEndpoint{
		{Name: "east", ConnectionString: os.Getenv("EAST_CONNECTION_STRING")},
	})
	if err != nil {
		log.Fatal(err)
	}
}

// tenants keeps the groups of a region in that region: their names begin with its name.
type tenants struct{ appserver.AllEndpoints }

// ForGroup returns the endpoints of the group's region.
func (tenants) ForGroup(group string, all []*appserver.HubEndpoint) []*appserver.HubEndpoint {
	region, _, _ := strings.Cut(group, "-")
	return slices.DeleteFunc(slices.Clone(all), func(e *appserver.HubEndpoint) bool { return e.Name() != region })
}

// An app server that is replaced hands its clients over to the others.
func ExampleApp_Shutdown() {
	app, err := appserver.New(appserver.Config{
		ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING"),
		Shutdown:         appserver.MigrateClients,
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := app.MapHub("/chat", &Chat{}); err != nil {
		log.Fatal(err)
	}
	go func() {
		terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		<-terminated.Done()
		patience, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := app.Shutdown(patience); err != nil {
			log.Print(err)
		}
	}()
	go func() { log.Fatal(http.ListenAndServe(":5000", app)) }()
	if err := app.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// Rooms is a hub with groups, results, errors and hooks.
type Rooms struct{}

// OnConnected runs before any call of the client.
func (*Rooms) OnConnected(ctx *appserver.Context) error {
	if ctx.UserID() == "" {
		return appserver.Errorf("sign in first")
	}
	ctx.Items().Store("since", time.Now())
	return nil
}

// OnDisconnected runs when the client is gone; its rooms forget it by themselves.
func (*Rooms) OnDisconnected(ctx *appserver.Context, err error) {
	_ = ctx.Clients().Others().Send(ctx, "Left", ctx.UserID())
}

// Enter answers with a greeting, and tells those who are there.
func (*Rooms) Enter(ctx *appserver.Context, room string) (string, error) {
	if room == "" {
		return "", appserver.Errorf("a room needs a name") // the client sees this text
	}
	if err := ctx.Groups().Join(ctx, room); err != nil {
		return "", err // and not this one
	}
	if err := ctx.Clients().OthersInGroup(room).Send(ctx, "Entered", ctx.UserID()); err != nil {
		return "", err
	}
	return fmt.Sprintf("Welcome to %s.", room), nil
}

func ExampleApp_MapHub() {
	app, err := appserver.New(appserver.Config{ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = app.MapHub("/rooms", &Rooms{}, func(c *appserver.HubConfig) {
		c.MaximumReceiveMessageSize = 256 << 10
		c.EnableDetailedErrors = true
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A HubContext sends from anywhere, here every minute.
func ExampleHubContext() {
	app, err := appserver.New(appserver.Config{ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING")})
	if err != nil {
		log.Fatal(err)
	}
	hub, err := app.MapHub("/chat", &Chat{})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for now := range time.Tick(time.Minute) {
			err := hub.Clients().Group("clock").Send(context.Background(), "Tick", now)
			if err != nil && !errors.Is(err, appserver.ErrNotConnected) {
				log.Print(err)
			}
		}
	}()
	log.Fatal(app.Run(context.Background()))
}

// Identify decides who may connect, and as whom.
func ExampleConfig() {
	app, err := appserver.New(appserver.Config{
		ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING"),
		Identify: func(r *http.Request) (appserver.Identity, error) {
			name, password, ok := r.BasicAuth()
			if !ok || password != "open sesame" {
				return appserver.Identity{}, &appserver.HTTPError{Status: http.StatusUnauthorized}
			}
			return appserver.Identity{UserID: name, Claims: []appserver.Claim{{Type: "role", Value: "guest"}}}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/", app)
}

// A Ticker is a hub whose clients watch prices.
type Ticker struct{}

// Prices streams prices until the client has enough or is gone. In JavaScript:
// connection.stream("Prices", "ACME").subscribe({ next: show })
func (*Ticker) Prices(ctx *appserver.Context, symbol string) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		if symbol == "" {
			yield(0, appserver.Errorf("which one?")) // the client is told
			return
		}
		pace := time.NewTicker(time.Second)
		defer pace.Stop()
		for price := 100; yield(price, nil); price++ {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// A method that returns an iterator or a channel is a stream.
func Example_stream() {
	app, err := appserver.New(appserver.Config{ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING")})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := app.MapHub("/ticker", &Ticker{}); err != nil {
		log.Fatal(err)
	}
	log.Fatal(app.Run(context.Background()))
}

// Players are clients by the methods that they have: a type of the app's own, of which the
// compiler checks every use.
type Players struct{ appserver.ClientProxy }

// Moved tells the players where a piece went.
func (p Players) Moved(ctx context.Context, piece string, x, y int) error {
	return p.Send(ctx, "moved", piece, x, y)
}

// Accept asks one player, and waits for the answer.
func (p Players) Accept(ctx context.Context, draw bool) (bool, error) {
	return appserver.Invoke[bool](ctx, p.ClientProxy, "accept", draw)
}

// Game is a hub with typed clients.
type Game struct{}

func (*Game) Move(ctx *appserver.Context, table, piece string, x, y int) error {
	return Players{ctx.Clients().OthersInGroup(table)}.Moved(ctx, piece, x, y)
}

// Typed clients are a struct around a ClientProxy: names of methods and types of arguments
// are written down once.
func Example_typedClients() {
	app, err := appserver.New(appserver.Config{ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING")})
	if err != nil {
		log.Fatal(err)
	}
	hub, err := app.MapHub("/game", &Game{})
	if err != nil {
		log.Fatal(err)
	}
	everybody := Players{hub.Clients().All()}
	if err := everybody.Moved(context.Background(), "knight", 3, 5); err != nil {
		log.Print(err)
	}
}
