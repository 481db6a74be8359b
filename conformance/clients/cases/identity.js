"use strict";

// What the hub learns about its client.

module.exports = {
  async user_and_claims(t) {
    const c = await t.connect({ user: "alice" });
    t.equal(await c.invoke("WhoAmI"), {
      userId: "alice",
      claims: ["role=reader", "role=writer", "greeting=Grüße 👋"],
    });
  },

  async nobody(t) {
    const c = await t.connect();
    t.equal(await c.invoke("WhoAmI"), { userId: "", claims: [] });
  },

  async refused_with_text(t) {
    const c = t.build({ user: "banned" });
    await t.fails(c.start(), t.version.httpError(403, "Forbidden", "banned until Monday"));
  },

  async refused_without_text(t) {
    const c = t.build({ user: "stranger" });
    await t.fails(c.start(), t.version.httpError(401, "Unauthorized"));
  },

  async path_and_query(t) {
    const c = await t.connect({ query: "?room=42&name=J%C3%BCrgen+%26+Co" });
    const request = await c.invoke("Request", ["room", "name"], []);
    t.equal(request.path, "/hub", "path");
    t.equal(request.query, ["42", "Jürgen & Co"], "query");
    t.equal(request.remoteAddr, "127.0.0.1", "remote address");
  },

  // The app server sets the cookie when it answers negotiate. Cookies do not
  // care about ports, so the client brings it to the service.
  async cookie(t) {
    const c = await t.connect();
    const { headers: [cookie] } = await c.invoke("Request", [], ["Cookie"]);
    t.equal(cookie.split("; ")[0], "affinity=conformance"); // clients add the attribute Path
  },

  async header(t) {
    t.needs("headers");
    const { LongPolling } = t.signalr.HttpTransportType;
    if (t.browser && t.transport !== LongPolling) t.skip("a page sets no headers of WebSockets and Server-Sent Events");
    const c = await t.connect({ http: { headers: { "X-Tenant": "north" } } });
    const { headers } = await c.invoke("Request", [], ["x-tenant", t.browser ? "X-SignalR-User-Agent" : "User-Agent"]);
    t.equal(headers[0], "north", "X-Tenant");
    t.equal(/^Microsoft SignalR\/\d+\.\d+ \(/.test(headers[1]), true, `User-Agent ${headers[1]}`);
  },
};
