// Package appserver is the SDK for app servers: it turns a Go struct into a
// SignalR hub whose clients are connected to the service.
//
//	type Chat struct{}
//
//	// Send is called by clients: connection.invoke("Send", "hello")
//	func (*Chat) Send(ctx *appserver.Context, text string) error {
//		return ctx.Clients().All().Send(ctx, "Receive", ctx.UserID(), text)
//	}
//
//	func main() {
//		app, err := appserver.New(appserver.Config{
//			ConnectionString: os.Getenv("SWITCHBOARD_CONNECTION_STRING"),
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		if _, err := app.MapHub("/chat", &Chat{}); err != nil {
//			log.Fatal(err)
//		}
//		go func() { log.Fatal(http.ListenAndServe(":5000", app)) }()
//		log.Fatal(app.Run(context.Background()))
//	}
//
// Clients use the hub's address on the app, http://localhost:5000/chat. The app
// answers their negotiate request by sending them to the service with a token.
// From then on a client talks to the service alone, which carries its messages
// over the few server connections that Run keeps open. An app therefore holds no
// client sockets, and clients need no particular app server.
//
// One line moves the whole of it into one process: with Config.Service in place
// of the connection string, the service runs inside the program and clients
// reach it on the app's own address.
//
// # Hubs
//
// The exported methods of the value given to MapHub are what clients may call.
// See [App.MapHub] for the rules. Inside a call, [Context] knows the client and
// reaches other clients; outside of calls, [HubContext] does.
//
// # Clients of ASP.NET SignalR
//
// A hub whose HubConfig.Generations has AspNet is also, or only, for clients of ASP.NET SignalR, the
// generation before ASP.NET Core. All such hubs are under Config.AspNetPath, a client may listen to several
// of them over one connection, and Config.ApplicationName is required. What a hub sends, to all, to users, to
// groups or to a connection, goes to the clients of both generations; groups have members of both. The differences
// are those of the protocols:
//
//   - Streams, in either direction, and results of clients are for ASP.NET Core; a call by another client is an
//     error.
//   - [Progress] and [Context.State] are for ASP.NET; for others they do nothing.
//   - OnReconnected(ctx *appserver.Context) is called when a client of ASP.NET has lost its transport and has come
//     back over another one; it is still the same connection, in its groups. It is optional.
//   - OnDisconnected gets nil when the client has stopped, which .NET calls stopCalled, and else an error.
//   - [HubError] has the message alone for clients of ASP.NET, and Data; others get it behind a sentence.
//   - Limits per client are those of the hub that allows the most, since a connection has several hubs.
//   - Clients are not moved to another app server when theirs shuts down; they start again.
//
// # Values
//
// Arguments and results are encoded as encoding/json does it, and in MessagePack by the
// same rules: a field is called what its json tag says, and else by its name in Go,
// unchanged. Clients of a .NET hub see camelCase in JSON by default; give such tags for
// them. A field that is named otherwise in MessagePack has a msgpack tag too. Bytes are
// base64 in JSON and binary in MessagePack; see package hubprotocol for all types.
//
// # Several services
//
// Config.Endpoints has an app connected to several services, each with clients of its own, so
// that one of them may fail, or be close to its clients, or have those of one tenant. What is
// sent goes to all of them unless Config.MessageRouter knows better; where a client goes
// is up to Config.NegotiateRouter. Between regions, each app server has the service of its own
// region as a Primary and the others as Secondary: when its service is gone, its clients go
// to another region, and are served by the app servers there. [App.SetEndpoints] changes
// the list while the app runs.
//
// # Shutdown
//
// When the context of Run is done, or [App.Shutdown] is called, Config.Shutdown says what
// becomes of the clients. With MigrateClients the service moves them to other app servers, and
// neither they nor the messages on their way are lost.
//
// # Errors
//
// A client is not told why its call failed, unless the hub returns a [HubError]
// or HubConfig.EnableDetailedErrors is set. A panic in hub code fails that one call.
package appserver
