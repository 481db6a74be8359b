"use strict";

// Runs every case and reports them, in Node.js or in a page.

const { TestCase, Skip } = require("./testcase");

// Cases run one after the other; the timed ones, which mostly wait, side by side.
const suites = [
  "connect", "identity", "invoke", "send", "stream", "upload", "result", "audience", "groups", "order", "close", "reconnect", "stateful",
];
const timed = ["keepalive"];

// Errors that clients throw out of an event, where no case can catch them.
const thrown = [
  /Server returned handshake error: /, // once more, before 5.0
  /Cannot send data if the connection is not in the 'Connected' State/, // items of an upload when the client stops
  /Cannot send until the transport is connected/, // the same, once the transport has stopped
  /Connection stopped\./, // the same, when they were queued
  /(Not Found|No Connection with that ID: Status code '404')$/, // the same, when they were on their way
];

// expected tells whether an error that no case has caught is none of ours.
const expected = (text) => thrown.some((pattern) => pattern.test(text));

// run runs the cases with what a TestCase needs, and returns how many there were.
async function run(world, suite, report) {
  let count = 0;
  const one = async ([name, body]) => {
    const t = new TestCase(world);
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
  };
  const cases = (name) => Object.entries(suite(name));
  for (const c of suites.flatMap(cases)) await one(c);
  await Promise.all(timed.flatMap(cases).map(one));
  return count;
}

module.exports = { run, expected, suites: [...suites, ...timed] };
