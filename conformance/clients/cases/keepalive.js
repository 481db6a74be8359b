"use strict";

// The strict hub pings every second or so and waits three seconds for a client.

module.exports = {
  async pings_keep_a_quiet_connection(t) {
    const c = t.build({ path: "/strict" });
    c.connection.serverTimeoutInMilliseconds = 3500;
    c.connection.keepAliveIntervalInMilliseconds = 500;
    await c.start();
    const enough = c.log.received + 5;
    await c.until(() => c.log.received >= enough || c.closed.length > 0, "five pings");
    t.equal(c.closed, [], "onclose");
    t.equal(await c.invoke("Add", 1, 1), 2);
  },

  // A client is expected to ping only once it has done so.
  async silent_client_is_dropped(t) {
    if (t.transport === t.signalr.HttpTransportType.LongPolling) t.skip("the client does not ping over long polling, where each poll is a sign of life");
    const c = t.build({ path: "/strict" });
    c.connection.keepAliveIntervalInMilliseconds = 100;
    await c.start();
    const id = await c.id();
    const sent = c.log.sent;
    await c.until(() => c.log.sent > sent, "ping");
    c.connection.keepAliveIntervalInMilliseconds = 60000;
    const text = "Client hasn't sent a message/ping within the configured ClientTimeoutInterval.";
    t.equal(await c.end(),
      `Server returned an error on close: Connection closed with an error. OperationCanceledException: ${text}`,
      "error of onclose");
    t.equal((await t.disconnected(id)).endsWith(text), true, "OnDisconnected has the error");
  },
};
