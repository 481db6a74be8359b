"use strict";

// What a client sees of its app server's troubles.

const dropped = "Server returned an error on close: Server connection dropped.";

// back checks that the client has another connection that works.
async function back(t, c, before) {
  await c.until(() => c.reconnected.length > 0, "onreconnected");
  const id = await c.id();
  t.equal(id !== before, true, "a new connection id");
  t.equal(c.reconnected, [id], "connection id that onreconnected tells");
  t.equal(c.closed, [], "onclose");
}

module.exports = {
  async lost_server_connection(t) {
    t.needs("reconnect");
    const c = await t.connect({ reconnect: true });
    const id = await c.id();
    await t.control("POST", "cut");
    await back(t, c, id);
    t.equal(c.reconnecting.map((e) => e?.message), [dropped], "error of onreconnecting");
    const error = await t.disconnected(id);
    t.equal(error.startsWith("server connection lost"), true, `error of OnDisconnected ${error}`);
  },

  async lost_server_connection_without_reconnect(t) {
    const c = await t.connect();
    const id = await c.id();
    const call = c.invoke("Wait");
    t.equal(await c.received(1), ["waiting"]);
    await Promise.all([t.fails(call, dropped), t.control("POST", "cut")]);
    t.equal(await c.end(), dropped, "error of onclose");
    await c.startAgain();
    t.equal((await c.id()) !== id, true, "a new connection id");
  },

  async app_server_restarts(t) {
    t.needs("reconnect");
    const c = await t.connect({ reconnect: true });
    const id = await c.id();
    await c.invoke("Join", "g");
    await t.control("POST", "restart");
    await back(t, c, id);
    t.equal(c.reconnecting.length, 1, "number of reconnects");
    t.endedWell(c.reconnecting[0]?.message, "error of onreconnecting");
    t.equal(await t.disconnected(id), "", "error of OnDisconnected");
    await c.invoke("ToGroup", "g", "the group is gone");
    await c.invoke("ToAll", "end");
    t.equal(await c.received(1), ["end"]);
  },

  async app_server_restarts_without_reconnect(t) {
    const c = await t.connect();
    await t.control("POST", "restart");
    t.endedWell(await c.end(), "error of onclose");
    await c.start();
    t.equal(await c.invoke("Add", 1, 1), 2);
  },
};
