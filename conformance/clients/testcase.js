"use strict";

const assert = require("node:assert/strict");
const { Peer, retryDelay } = require("./peer");
const within = require("./within");

const { fetch } = globalThis; // some clients must not see it

// A Skip ends a case that the client cannot run.
class Skip extends Error {}

// A TestCase is what a case works with: connections that end with it, and the
// app server's control.
class TestCase {
  // origin is the address of the app server; other is the protocol that
  // protocol is not; sockets returns WebSockets that can be broken off, if it is there.
  constructor({ origin, version, signalr, protocols, protocol, transport, sockets, browser = false }) {
    Object.assign(this, { origin, version, signalr, protocols, protocol, transport, sockets, browser });
    this.other = protocol === "json" ? "messagepack" : "json";
    this.peers = [];
  }

  skip(reason) {
    throw new Skip(reason);
  }

  // needs skips the case when the version lacks something.
  needs(feature) {
    if (this.version.lacks[feature]) this.skip(this.version.lacks[feature]);
  }

  // needsOrder skips the case when messages may overtake each other.
  needsOrder() {
    if (this.transport !== this.signalr.HttpTransportType.WebSockets) this.needs("order");
  }

  // endedWell wants no error, unless the client takes the end of a stream for one.
  // That may come before or after it has read the hub's last message.
  endedWell(error, what) {
    const { ServerSentEvents } = this.signalr.HttpTransportType;
    const { endOfStream } = this.version;
    if (endOfStream && this.transport === ServerSentEvents && error === endOfStream) return;
    this.equal(error, undefined, what);
  }

  equal(got, want, what) {
    try {
      assert.deepStrictEqual(got, want);
    } catch (e) {
      throw new Error(`${what ?? "result"}: ${e.message}`);
    }
  }

  // fails expects a rejection with exactly this text.
  async fails(promise, text) {
    let value;
    try {
      value = await promise;
    } catch (e) {
      return this.equal(e?.message ?? e, text, "error text"); // some old errors are strings
    }
    throw new Error(`succeeded with ${JSON.stringify(value)}, want the error ${text}`);
  }

  // control makes the app server do or tell something.
  async control(method, path) {
    const response = await within(fetch(`${this.origin}/control/${path}`, { method }), path);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  // disconnected waits for the hub's OnDisconnected and returns the text of its error.
  async disconnected(connectionId) {
    return (await this.control("GET", `disconnected/${encodeURIComponent(connectionId)}`)).error;
  }

  async connect(options = {}) {
    const peer = this.build(options);
    await peer.start();
    return peer;
  }

  // build makes a connection that is not started. Options: path or url, query,
  // user, protocol, reconnect, stateful, and those of withUrl as http.
  build({ path = "/hub", url, query = "", user, protocol = this.protocol, reconnect, stateful, http = {} }) {
    const log = { lines: [], sent: 0, received: 0 };
    const logger = { log: (level, text) => note(log, text, () => peer.changed()) };
    const exchanges = [];
    // Server-Sent Events carry no binary.
    const { WebSockets, ServerSentEvents } = this.signalr.HttpTransportType;
    const transport = protocol === "messagepack" && this.transport === ServerSentEvents ? WebSockets : this.transport;
    const options = { transport, logger, httpClient: this.recorder(logger, exchanges), ...http };
    if (user) options.accessTokenFactory = () => user;
    const builder = new this.signalr.HubConnectionBuilder()
      .withUrl((url ?? this.origin + path) + query, options)
      .withHubProtocol(this.protocols[protocol]())
      .configureLogging(logger);
    if (reconnect) builder.withAutomaticReconnect(Array(100).fill(retryDelay));
    if (stateful) builder.withStatefulReconnect();
    const peer = new Peer(builder.build(), log, exchanges);
    this.peers.push(peer);
    return peer;
  }

  // recorder is the client's own HTTP client, with a memory of its negotiations.
  recorder(logger, exchanges) {
    class Recorder extends this.signalr.DefaultHttpClient {
      async send(request) {
        const response = await super.send(request);
        if (/\/negotiate\b/.test(request.url)) exchanges.push({ url: request.url, body: response.content });
        return response;
      }
    }
    return new Recorder(logger);
  }

  // end stops the connections that are still open.
  end() {
    return Promise.all(this.peers.map((peer) => peer.stop()));
  }

  // story is what the clients logged last, for the report of a failure.
  story() {
    return this.peers.map((peer, i) => `client ${i}:\n  ${peer.log.lines.slice(-12).join("\n  ")}`).join("\n");
  }
}

function note(log, text, changed) {
  log.lines.push(text);
  if (/^\(\w+ transport\) sending data/i.test(text)) log.sent++;
  if (/^\(\w+ transport\) data received/i.test(text)) log.received++;
  changed();
}

module.exports = { TestCase, Skip };
