"use strict";

// Calls that nobody answers.

module.exports = {
  async send(t) {
    const c = await t.connect();
    await c.send("Remember", "fire and forget");
    t.equal(await c.invoke("Recall"), "fire and forget");
  },

  async send_that_fails(t) {
    const c = await t.connect();
    await c.send("Fail");
    await c.send("NoSuch", 1);
    await c.send("Add", "one");
    t.equal(await c.invoke("Add", 1, 1), 2, "the connection lives on");
  },
};
