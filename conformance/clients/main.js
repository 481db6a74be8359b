"use strict";

// Runs every case with one version of the official client, one hub protocol and one
// transport, and reports them on standard output, one JSON object a line:
//
//   {"case":"…","status":"pass|fail|skip","detail":"…"}
//   {"end":true,"cases":n}
//
// Usage: node main.js VERSION PROTOCOL TRANSPORT ORIGIN

const assert = require("node:assert/strict");
const { expected, run } = require("./run");
const sockets = require("./sockets");
const versions = require("./versions");

const [versionName, protocol, transportName, origin] = process.argv.slice(2);
const version = versions[versionName];
assert.ok(version, `unknown version ${versionName}`);
version.prepare?.();
const signalr = require(version.client);
assert.equal(signalr.VERSION, versionName, "package.json and versions.js disagree");
const { MessagePackHubProtocol } = require(version.msgpack);
const protocols = {
  json: () => new signalr.JsonHubProtocol(),
  messagepack: () => new MessagePackHubProtocol(),
};
assert.ok(protocols[protocol], `unknown protocol ${protocol}`);

const transport = signalr.HttpTransportType[transportName];
assert.ok(transport, `unknown transport ${transportName}`);

process.on("uncaughtException", (e) => {
  if (!expected(e?.message)) throw e;
});

const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const world = { origin, version, signalr, protocols, protocol, transport, sockets: () => sockets(version.client) };

// Timers and sockets that a client has left must not keep the process alive.
run(world, (suite) => require(`./cases/${suite}`), report).then((cases) => {
  report({ end: true, cases });
  process.exit(0);
});
