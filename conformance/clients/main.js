"use strict";

// Runs every case with one version of the official client, one hub protocol and one
// transport, and reports them on standard output, one JSON object a line:
//
//   {"case":"…","status":"pass|fail|skip","detail":"…"}
//   {"end":true,"cases":n}
//
// Usage: node main.js VERSION PROTOCOL TRANSPORT ORIGIN

const assert = require("node:assert/strict");
const sockets = require("./sockets");
const { TestCase, Skip } = require("./testcase");
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

// Cases run one after the other; the timed ones, which mostly wait, side by side.
const suites = ["connect", "identity", "invoke", "send", "stream", "upload", "result", "audience", "groups", "order", "close", "reconnect", "stateful"];
const timed = ["keepalive"];

const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let count = 0;

async function run(name, body) {
  const t = new TestCase({ origin, version, signalr, protocols, protocol, transport, sockets: () => sockets(version.client) });
  const result = { case: name, status: "pass" };
  try {
    await body(t);
    await t.end();
  } catch (e) {
    const skipped = e instanceof Skip;
    result.status = skipped ? "skip" : "fail";
    result.detail = skipped ? e.message : `${e?.stack ?? e}\n${t.story()}`;
    await t.end().catch(() => {}); // it has failed already
  }
  count++;
  report(result);
}

const cases = (suite) => Object.entries(require(`./cases/${suite}`));

async function main() {
  for (const [name, body] of suites.flatMap(cases)) await run(name, body);
  await Promise.all(timed.flatMap(cases).map(([name, body]) => run(name, body)));
  report({ end: true, cases: count });
}

// Errors that clients throw out of an event, where no case can catch them.
const thrown = [
  /Server returned handshake error: /, // once more, before 5.0
  /Cannot send data if the connection is not in the 'Connected' State/, // items of an upload when the client stops
  /^(Not Found|No Connection with that ID: Status code '404')$/, // the same, when they were on their way
];
process.on("uncaughtException", (e) => {
  if (!thrown.some((text) => text.test(e?.message))) throw e;
});

// Timers and sockets that a client has left must not keep the process alive.
main().then(() => process.exit(0));
