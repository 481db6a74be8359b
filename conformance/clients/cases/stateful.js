"use strict";

// Stateful reconnect: a client loses its socket and keeps its connection.

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

// connect returns a client that asks for stateful reconnect, and what cuts its socket.
async function connect(t, options = {}) {
  t.needs("stateful");
  if (t.transport !== t.signalr.HttpTransportType.WebSockets) t.skip("only WebSockets have stateful reconnect");
  if (!t.sockets) t.skip("a page cannot break its socket off");
  const sockets = t.sockets();
  const c = await t.connect({ stateful: true, http: { WebSocket: sockets.WebSocket }, ...options });
  return { c, cut: sockets.cut, sockets };
}

module.exports = {
  async stateful_keeps_the_connection(t) {
    const { c, cut, sockets } = await connect(t);
    const id = await c.id();
    await c.invoke("Join", "g");
    await c.invoke("Remember", "something");
    cut();
    t.equal(await c.id(), id, "connection id");
    t.equal(sockets.count(), 2, "sockets");
    t.equal(await c.invoke("Recall"), "something");
    await c.invoke("ToGroup", "g", "still a member");
    t.equal(await c.received(1), ["still a member"]);
    t.equal([c.reconnecting, c.reconnected, c.closed], [[], [], []], "events");
  },

  async stateful_loses_nothing(t) {
    const { c, cut } = await connect(t);
    const answers = [];
    for (const n of numbers(300)) {
      answers.push(c.invoke("Count", n));
      if (n % 50 === 25) {
        cut();
        await answers.at(-1);
      }
    }
    t.equal(await Promise.all(answers), numbers(300), "results");
    t.equal(await c.received(300), numbers(300), "what the hub sent");
  },

  async stateful_broadcasts_meanwhile(t) {
    const { c, cut } = await connect(t);
    const other = await t.connect({ protocol: t.other });
    for (const n of numbers(50)) {
      await other.invoke("ToAll", n);
      if (n % 10 === 5) cut();
    }
    t.equal(await c.received(50), numbers(50), "what everybody got");
    t.equal(await other.received(50), numbers(50), "what everybody got");
  },

  async stateful_stops(t) {
    const { c } = await connect(t);
    const id = await c.id();
    await c.stop();
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },

  async stateful_is_aborted(t) {
    const { c } = await connect(t);
    const id = await c.id();
    await c.send("Abort");
    t.equal(await c.end(), undefined, "error of onclose");
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
  },

  // The hub does not allow it: a lost socket is a lost connection, and OnDisconnected
  // is called once.
  async stateful_not_allowed(t) {
    const { c, cut } = await connect(t, { path: "/strict", reconnect: true });
    const id = await c.id();
    cut();
    await c.until(() => c.reconnected.length > 0, "onreconnected");
    t.equal((await c.id()) !== id, true, "a new connection id");
    t.equal(typeof (await t.disconnected(id)), "string", "OnDisconnected");
    t.equal(c.reconnected.length, 1, "reconnects");
  },

  // Without stateful reconnect.
  async lost_socket(t) {
    t.needs("reconnect");
    if (t.transport !== t.signalr.HttpTransportType.WebSockets) t.skip("the case breaks a WebSocket off");
    if (!t.sockets) t.skip("a page cannot break its socket off");
    const sockets = t.sockets();
    const c = await t.connect({ reconnect: true, http: { WebSocket: sockets.WebSocket } });
    const id = await c.id();
    const call = c.invoke("Wait");
    call.catch(() => {}); // it fails
    t.equal(await c.received(1), ["waiting"]);
    sockets.cut();
    await c.until(() => c.reconnected.length > 0, "onreconnected");
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
    t.equal(await c.id(), c.reconnected[0], "connection id");
  },
};
