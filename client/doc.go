// Package client is a SignalR client: it connects to a hub of ASP.NET Core SignalR,
// self-hosted or behind a service, and calls it and is called by it.
//
//	conn, err := client.New("https://example.com/chat", client.Config{})
//	conn.On("Receive", func(user, text string) { fmt.Println(user, text) })
//	err = conn.Start(ctx)
//	n, err := client.Invoke[int](ctx, conn, "Add", 40, 2)
//	for price, err := range client.Stream[float64](ctx, conn, "Prices", "MSFT") { … }
//	err = conn.Stop(ctx)
//
// It negotiates and follows redirects, carries the connection over WebSockets,
// Server-Sent Events or long polling, speaks JSON or MessagePack, streams in both
// directions, answers the hub's calls, keeps the connection alive, and if it shall
// ([Config].Reconnect, [Config].StatefulReconnect) connects again when it is lost.
//
// What the arguments and results of a call are encoded by is package hubprotocol.
//
// Source of what is not named elsewhere: npm @microsoft/signalr 10, HubConnection.ts
// and HttpConnection.ts, whose behaviour and texts this client follows.
package client
