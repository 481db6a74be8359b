"use strict";

// How a client gets to its hub.

module.exports = {
  async negotiate(t) {
    const c = await t.connect();
    const answers = c.exchanges.map((e) => JSON.parse(e.body));
    t.equal(answers.length, 2, "number of negotiate requests");
    const [redirect, answer] = answers;
    t.equal(typeof redirect.accessToken, "string", "accessToken of the app server's answer");
    t.equal(redirect.availableTransports, [], "availableTransports of the app server's answer");
    t.equal(answer.negotiateVersion, t.version.negotiateVersion, "negotiateVersion");
    t.equal(answer.connectionId, await c.id(), "connectionId");
    if (t.version.negotiateVersion === 0) {
      t.equal("connectionToken" in answer, false, "connectionToken under version 0");
    } else {
      t.equal(answer.connectionToken !== answer.connectionId, true, "connectionToken is a secret of its own");
    }
  },

  async connection_id(t) {
    t.needs("connectionId");
    const c = await t.connect();
    t.equal(c.connection.connectionId, await c.id());
  },

  async two_clients_have_two_ids(t) {
    const [a, b] = [await t.connect(), await t.connect()];
    t.equal((await a.id()) !== (await b.id()), true);
  },

  async start_after_stop(t) {
    const c = await t.connect();
    const first = await c.id();
    await c.stop();
    await c.start();
    t.equal((await c.id()) !== first, true, "a new connection id");
  },

  async skip_negotiation(t) {
    const { url, token } = await t.control("POST", "token?user=direct");
    const c = await t.connect({
      url,
      http: {
        skipNegotiation: true,
        transport: t.signalr.HttpTransportType.WebSockets,
        accessTokenFactory: () => token,
      },
    });
    t.equal(c.exchanges, [], "HTTP requests");
    t.equal((await c.invoke("WhoAmI")).userId, "direct", "user");
    t.equal(await c.invoke("Add", 40, 2), 42);
  },

  async negotiate_with_the_service(t) {
    const { url, token } = await t.control("POST", "token?user=direct");
    const c = await t.connect({ url, http: { accessTokenFactory: () => token } });
    t.equal(c.exchanges.length, 1, "number of negotiate requests");
    t.equal((await c.invoke("WhoAmI")).userId, "direct", "user");
  },

  async bad_token(t) {
    const { url, token } = await t.control("POST", "token");
    const c = t.build({ url, http: { accessTokenFactory: () => token.slice(0, -8) + "AAAAAAAA" } });
    await t.fails(c.start(), t.version.httpError(401, "Unauthorized"));
  },

  async bad_token_without_negotiation(t) {
    const { url } = await t.control("POST", "token");
    const c = t.build({
      url,
      http: {
        skipNegotiation: true,
        transport: t.signalr.HttpTransportType.WebSockets,
        accessTokenFactory: () => "not-a-token",
      },
    });
    let refused = false;
    await c.start().catch(() => (refused = true)); // old clients reject with null
    t.equal(refused, true, "start is refused");
  },

  async no_app_server(t) {
    const { url, token } = await t.control("POST", "token?hub=nobody");
    const c = t.build({ url, http: { accessTokenFactory: () => token } });
    await t.fails(c.start(), "Server returned handshake error: No server available.");
  },

  async message_from_on_connected(t) {
    const c = await t.connect({ query: "?welcome=1" });
    t.equal(await c.received(1), ["welcome"]);
  },

  async refused_by_on_connected(t) {
    const c = t.build({ query: "?refuse=1" });
    const want = "Server returned an error on close: Connection closed with an error. HubException: no entry";
    try {
      await c.start();
    } catch (e) {
      // The first ping may be POSTed to a connection that has ended already.
      const late = t.transport !== t.signalr.HttpTransportType.WebSockets && /404|Not Found/.test(e.message);
      return t.equal(late ? want : e.message, want, "error of start");
    }
    // A client that hears of the end while it POSTs its first ping says so in its log,
    // and then starts as if it had not.
    const log = c.log.lines.join("\n");
    const heard = log.indexOf(want);
    const missed = t.transport !== t.signalr.HttpTransportType.WebSockets && heard >= 0 && heard < log.indexOf("HubConnection connected successfully.");
    if (!missed) t.equal(await c.end(), want, "error of onclose");
  },
};
