"use strict";

// What a page does with the classic client. A case gets a World and makes connections with it.

(() => {
  const longest = 15000; // ms that anything may take

  const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

  async function within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no ${what} within ${longest} ms`)), longest);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  function equal(got, want, what = "value") {
    const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
    if (a !== b) throw new Error(`${what} is ${a}, want ${b}`);
  }

  // Skip ends a case that the client cannot run.
  class Skip extends Error {}

  // A Peer is one connection with a proxy for each hub.
  class Peer {
    constructor(world, { hubs = ["chat"], user = "", query = "", listen = true } = {}) {
      Object.assign(this, { world, hubNames: hubs, received: [], log: [], waiting: [] });
      const qs = (world.mode === "direct" ? `access_token=${world.tokens[user]}&` : "") + `user=${user}${query}`;
      const url = world.mode === "direct" ? world.service : `${world.origin}/signalr`;
      this.connection = $.hubConnection(url, { useDefaultPath: false, qs });
      this.connection.reconnectDelay = 100;
      this.hubs = {};
      for (const name of hubs) {
        this.hubs[name] = this.connection.createHubProxy(name);
        if (listen) this.hubs[name].on("receive", (text) => this.take(text));
      }
      for (const event of ["reconnecting", "reconnected", "disconnected", "connectionSlow"]) this.connection[event](() => this.note(event));
      this.connection.error((e) => this.note(`error ${e.source || ""} ${e.message}`));
      this.connection.stateChanged(() => this.wake());
    }

    note(event) {
      this.log.push(event);
      this.wake();
    }

    take(text) {
      this.received.push(text);
      this.wake();
    }

    wake() {
      for (const look of this.waiting.splice(0)) look();
    }

    // until waits for something that an event brings about.
    async until(what, ready) {
      const wait = async () => {
        while (!ready()) await new Promise((resolve) => { this.waiting.push(resolve); });
      };
      try {
        await within(wait(), what);
      } catch (e) {
        throw new Error(`${e.message}; log ${JSON.stringify(this.log)}, received ${JSON.stringify(this.received)}`);
      }
    }

    async start() {
      const started = this.connection.start({ transport: this.world.transport });
      await within(Promise.resolve(started), "start");
      equal(this.connection.transport.name, this.world.transport, "transport");
      return this;
    }

    invoke(method, ...args) {
      return this.on(this.hubNames[0], method, ...args);
    }

    on(hub, method, ...args) {
      return within(Promise.resolve(this.hubs[hub].invoke(method, ...args)), method);
    }

    async fails(method, ...args) {
      try {
        await this.invoke(method, ...args);
      } catch (e) {
        return e;
      }
      throw new Error(`${method} has not failed`);
    }

    // gets waits for messages, in this order, and for nothing but them.
    async gets(...want) {
      await this.until(`messages ${want}`, () => this.received.length >= want.length);
      equal(this.received.splice(0), want, "received");
    }

    async stop() {
      this.connection.stop();
      await this.until("disconnected", () => this.log.includes("disconnected"));
    }
  }

  class World {
    constructor(world) {
      Object.assign(this, world);
      this.peers = [];
    }

    build(options) {
      const peer = new Peer(this, options);
      this.peers.push(peer);
      return peer;
    }

    async connect(options) {
      return this.build(options).start();
    }

    async control(method, path) {
      const response = await within(fetch(`${this.origin}/control/${path}`, { method }), path);
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json();
    }

    async disconnected(id) {
      return (await this.control("GET", `disconnected/${encodeURIComponent(id)}`)).error;
    }

    needsRedirect() {
      if (this.mode === "direct") throw new Skip("the app server has no part in the start");
    }

    end() {
      for (const peer of this.peers) peer.connection.stop();
    }
  }

  const cases = {
    async start(w) {
      const peer = w.build();
      const states = [];
      peer.connection.stateChanged(({ newState }) => states.push(newState));
      await peer.start();
      equal(await peer.invoke("ConnectionID"), peer.connection.id, "id");
      const { id } = peer.connection;
      await peer.stop();
      equal(await w.disconnected(id), "", "error of OnDisconnected");
      equal(states, [0, 1, 4], "states");
      equal(peer.log, ["disconnected"], "log");
    },

    async start_again(w) {
      const peer = await w.connect();
      const { id } = peer.connection;
      await peer.stop();
      await peer.start();
      equal(peer.connection.id === id, false, "same id");
      equal(await peer.invoke("Echo", 1), 1);
    },

    async invoke(w) {
      const peer = await w.connect();
      for (const value of ["text", "", "Grüße 👋 & + % = \" \\ \n </script>", 0, -1.5, true, [1, [2]], { a: { b: "c" } }]) {
        equal(await peer.invoke("Echo", value), value);
      }
      equal(await peer.invoke("nothing"), undefined);
      equal(await peer.invoke("Echo", null), undefined); // the server leaves null out
      const large = "x".repeat(200000);
      equal((await peer.invoke("echo", large)).length, large.length);
      const many = await Promise.all(Array.from({ length: 100 }, (_, i) => peer.invoke("Echo", i)));
      equal(many, Array.from({ length: 100 }, (_, i) => i));
    },

    async overloads(w) {
      const peer = await w.connect();
      equal([await peer.invoke("overload"), await peer.invoke("overload", 1), await peer.invoke("overload", 1, 2)], ["none", 1, 3]);
    },

    async errors(w) {
      const peer = await w.connect({ hubs: ["chat", "detailed"] });
      equal((await peer.fails("Fail")).message, "There was an error invoking Hub method 'chat.Fail'.");
      equal((await peer.fails("nope")).message, "There was an error invoking Hub method 'chat.nope'.");
      equal((await peer.fails("Echo")).message, "There was an error invoking Hub method 'chat.Echo'.");
      const e = await peer.fails("FailWithData");
      equal([e.message, e.source, e.data], ["for you", "HubException", { code: 7, list: [1, 2] }]);
      peer.hubNames.reverse();
      equal((await peer.fails("fail")).message, "not so secret");
      equal((await peer.fails("nope")).message, "'nope' method could not be resolved. No method found with that name.");
      equal((await peer.fails("add", 1)).message.split("\n"), ["'add' method could not be resolved. Potential candidates are: ", "Add(1:int, 2:int):int"]);
    },

    async delayed(w) {
      const peer = await w.connect();
      equal(await Promise.all([peer.invoke("Later", 300, "a"), peer.invoke("Later", 0, "b")]), ["a", "b"]);
    },

    async progress(w) {
      const peer = await w.connect();
      const seen = [];
      const call = peer.hubs.chat.invoke("Work").progress((n) => seen.push(n));
      equal(await within(Promise.resolve(call), "result"), "done");
      equal(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },

    async state(w) {
      const peer = await w.connect();
      let within = "";
      peer.hubs.chat.on("receive", () => { within = peer.hubs.chat.state.name; });
      peer.hubs.chat.state.name = "Ann";
      equal(await peer.invoke("Remember", "Eve"), "Ann");
      equal([within, peer.hubs.chat.state.name], ["Eve", "Eve"], "state");
    },

    async broadcast(w) {
      const [a, b] = [await w.connect(), await w.connect()];
      await a.invoke("All", "one");
      await a.gets("one");
      await b.gets("one");
      await a.invoke("Others", "two");
      await b.gets("two");
      await w.control("POST", "broadcast?text=three");
      await a.gets("three");
      await b.gets("three");
      await a.invoke("One", b.connection.id, "four");
      await b.gets("four");
      await a.invoke("Caller", ["5", "6", "7"]);
      await a.gets("5", "6", "7");
    },

    async groups(w) {
      const [a, b] = [await w.connect({ query: "&join=early" }), await w.connect()];
      await b.invoke("Group", "early", "one");
      await a.gets("one");
      await b.invoke("Join", "early");
      await b.invoke("Group", "early", "two");
      await a.gets("two");
      await b.gets("two");
      await a.invoke("Leave", "early");
      await a.invoke("Group", "early", "three");
      await b.gets("three");
      await a.invoke("Caller", ["last"]);
      await a.gets("last");
    },

    async users(w) {
      const [ann, annAgain, bob] = [await w.connect({ user: "ann" }), await w.connect({ user: "ann" }), await w.connect({ user: "bob" })];
      equal(await ann.invoke("UserID"), "ann");
      await bob.invoke("User", "ann", "hello");
      await ann.gets("hello");
      await annAgain.gets("hello");
      await bob.invoke("Caller", ["last"]);
      await bob.gets("last");
    },

    async several_hubs(w) {
      const [both, one] = [await w.connect({ hubs: ["chat", "detailed"] }), await w.connect()];
      await both.on("detailed", "All", "of detailed");
      await both.gets("of detailed");
      equal(await both.on("detailed", "Name"), "detailed");
      await both.invoke("All", "of chat");
      await both.gets("of chat");
      await one.gets("of chat");
    },

    async no_hub_at_all(w) {
      const peer = await w.connect({ listen: false }); // it listens to nothing, and may call
      equal(await peer.invoke("Echo", "x"), "x");
      const other = await w.connect();
      await other.invoke("All", "not for everybody");
      await other.gets("not for everybody");
      await peer.stop();
    },

    async no_hub_connection(w) {
      const url = w.mode === "direct" ? w.service : `${w.origin}/signalr`;
      const connection = $.connection(url, w.mode === "direct" ? `access_token=${w.tokens[""]}` : "");
      await within(Promise.resolve(connection.start({ transport: w.transport })), "start");
      equal(connection.state, 1, "state");
      connection.stop();
    },

    async query_and_headers(w) {
      const peer = await w.connect({ query: "&colour=light%20blue" });
      equal(await peer.invoke("Query", "colour"), "light blue");
      equal(await peer.invoke("Query", "access_token"), "");
      equal(await peer.invoke("Header", "Authorization"), "");
      equal((await peer.invoke("Header", "User-Agent")).includes("Chrome"), true);
      if (w.mode === "redirect" && w.version !== "2.4.0") equal(await peer.invoke("Path"), "/signalr");
    },

    async welcome(w) {
      const peer = await w.connect({ query: "&welcome=1" });
      await peer.gets("welcome");
    },

    async closed_by_hub(w) {
      const peer = await w.connect();
      const { id } = peer.connection;
      peer.hubs.chat.invoke("Abort").fail(() => {});
      equal(await w.disconnected(id), "", "error of OnDisconnected");
      peer.connection.stop();
    },

    async refused_with_details(w) {
      w.needsRedirect(); // the token has to say that details may be told
      const peer = w.build({ hubs: ["detailed"], query: "&refuse=1" });
      peer.connection.start({ transport: w.transport }).fail(() => {}); // may come before
      await peer.until("the end", () => peer.log.includes("disconnected"));
      equal(peer.log.some((event) => event.endsWith("no entry")), true, `"no entry" in ${peer.log}`);
    },

    async reconnect(w) {
      const peer = await w.connect({ query: "&join=group" });
      const { id } = peer.connection;
      for (let i = 0; i < 3; i++) {
        peer.log.length = 0;
        await sleep(300); // until a poll is answered in part: a browser repeats one without an answer by itself
        await w.control("POST", "cut");
        await peer.until("reconnecting", () => peer.log.includes("reconnecting"));
        await w.control("POST", `broadcast?text=missed${i}`);
        await peer.until("reconnected", () => peer.log.includes("reconnected"));
        await peer.until("two messages", () => peer.received.length >= 2);
        equal(peer.received.splice(0).sort(), [`missed${i}`, "welcome back"].sort(), "received");
        equal(peer.connection.id, id, "id");
      }
      await peer.invoke("Group", "group", "still in it");
      await peer.gets("still in it");
      equal(await peer.invoke("Echo", "x"), "x");
      await peer.stop();
      equal(await w.disconnected(id), "", "error of OnDisconnected");
    },

    async keep_alive(w) {
      const peer = await w.connect();
      await sleep(3000); // three times the interval; the client gives up after two
      equal(peer.log, [], "log");
      equal(await peer.invoke("Echo", "x"), "x");
    },

    async ping(w) {
      w.needsRedirect();
      const peer = await w.connect();
      await within(Promise.resolve($.signalR.transports._logic.pingServer(peer.connection)), "pong");
    },

    async proxies(w) {
      w.needsRedirect();
      const { hub, chat } = $.connection;
      equal(hub.url, "/signalr", "url");
      hub.url = `${w.origin}/signalr`;
      let told;
      const heard = new Promise((resolve) => { told = resolve; });
      chat.client.receive = function (text) { told([text, this === chat]); };
      await within(Promise.resolve(hub.start({ transport: w.transport })), "start");
      equal(await within(Promise.resolve(chat.server.echo("x")), "echo"), "x");
      equal(await within(Promise.resolve(chat.server.overload(1, 2)), "overload"), 3);
      await chat.server.all("hello");
      equal(await within(heard, "message"), ["hello", true]);
      hub.stop();
      hub.url = "/signalr";
    },

    async automatic(w) {
      if (w.transport !== "webSockets") throw new Skip("the first choice is webSockets");
      const peer = w.build();
      await within(Promise.resolve(peer.connection.start()), "start");
      equal(peer.connection.transport.name, "webSockets", "transport");
    },

    async falls_back(w) {
      if (w.transport !== "longPolling") throw new Skip("the last choice is longPolling");
      const { WebSocket, EventSource } = globalThis;
      try {
        delete globalThis.WebSocket;
        delete globalThis.EventSource;
        const peer = w.build();
        await within(Promise.resolve(peer.connection.start({ transport: ["webSockets", "serverSentEvents", "longPolling"] })), "start");
        equal(peer.connection.transport.name, "longPolling", "transport");
      } finally {
        Object.assign(globalThis, { WebSocket, EventSource });
      }
    },
  };

  // With a service that is restarted there is one case.
  const restart = {
    async service_is_restarted(w) {
      const peer = await w.connect();
      const { id } = peer.connection;
      await sleep(300); // until a poll is answered in part
      await w.control("POST", "restart");
      await peer.until("disconnected", () => peer.log.includes("disconnected"));
      const told = peer.log.some((event) => event.endsWith("The connection has ended; start a new one."));
      equal(told, w.mode === "restart-always", `told why, by ${JSON.stringify(peer.log)}`);
      equal(await w.disconnected(id) === "", false, "OnDisconnected without an error");
      await peer.start();
      equal(await peer.invoke("Echo", "x"), "x");
      await w.control("POST", "broadcast?text=again");
      await peer.gets("again");
    },
  };

  globalThis.runCases = async (options) => {
    const world = { ...options, tokens: {} };
    if ($.signalR.transports.longPolling) $.signalR.transports.longPolling.reconnectDelay = 300;
    if (world.mode === "direct") {
      for (const user of ["", "ann", "bob"]) {
        const access = await new World(world).control("POST", `token?user=${user}`);
        Object.assign(world, { service: access.url });
        world.tokens[user] = access.token;
      }
    }
    const all = Object.entries(world.mode.startsWith("restart") ? restart : cases);
    for (const [name, body] of all) {
      const w = new World(world);
      const result = { case: name, status: "pass" };
      try {
        await body(w);
      } catch (e) {
        result.status = e instanceof Skip ? "skip" : "fail";
        result.detail = e instanceof Skip ? e.message : `${e?.stack ?? e}\n${w.peers.map((peer) => JSON.stringify(peer.log)).join("\n")}`;
      }
      w.end();
      await globalThis.report(result);
    }
    return all.length;
  };
})();
