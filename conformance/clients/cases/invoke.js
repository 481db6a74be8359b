"use strict";

// Calls that are answered.

// Values that come back from the hub as they went there.
const values = {
  integer: 42,
  negative: -7,
  fraction: 1.5,
  largest_integer: Number.MAX_SAFE_INTEGER,
  boolean: true,
  empty_string: "",
  unicode: "Zażółć gęślą jaźń, 日本語, \u0000 \u001e \u2028 \"\\/",
  emoji: "👩‍👩‍👧‍👦 🏳️‍🌈",
  object: { name: "Ada", born: 1815, tags: ["math", "poetry"], address: { city: "London", zip: null } },
  array: [1, "two", [3, { four: 4 }], null, false],
  empty_array: [],
  null: null,
};

module.exports = {
  async invoke_number(t) {
    const c = await t.connect();
    t.equal(await c.invoke("Add", 40, 2), 42);
  },

  async invoke_string(t) {
    const c = await t.connect();
    t.equal(await c.invoke("EchoText", values.emoji), values.emoji);
  },

  async invoke_struct(t) {
    const c = await t.connect();
    const person = { name: "Grace", born: 1906, tags: ["navy"] };
    t.equal(await c.invoke("EchoPerson", person), person);
  },

  async invoke_bytes(t) {
    if (t.protocol === "json") t.skip("the client has no bytes in JSON");
    const c = await t.connect();
    const got = await c.invoke("EchoBytes", new Uint8Array([0, 30, 127, 128, 255]));
    t.equal([...got], [0, 30, 127, 128, 255]);
  },

  async void_is_null(t) {
    const c = await t.connect();
    t.equal(await c.invoke("Nothing"), null);
  },

  async method_in_any_case(t) {
    const c = await t.connect();
    t.equal([await c.invoke("add", 1, 2), await c.invoke("ADD", 3, 4)], [3, 7]);
  },

  async hub_error(t) {
    const c = await t.connect();
    await t.fails(c.invoke("FailTold", "no 🥖 today"),
      "An unexpected error occurred invoking 'FailTold' on the server. HubException: no 🥖 today");
  },

  async plain_error(t) {
    const c = await t.connect();
    await t.fails(c.invoke("Fail"), "An unexpected error occurred invoking 'Fail' on the server.");
  },

  async panic(t) {
    const c = await t.connect();
    await t.fails(c.invoke("panic"), "An unexpected error occurred invoking 'panic' on the server.");
    t.equal(await c.invoke("Add", 1, 1), 2, "the connection lives on");
  },

  async unknown_method(t) {
    const c = await t.connect();
    await t.fails(c.invoke("NoSuch"),
      "Failed to invoke 'NoSuch' due to an error on the server. HubException: Method does not exist.");
  },

  async hooks_are_no_methods(t) {
    const c = await t.connect();
    await t.fails(c.invoke("OnConnected"),
      "Failed to invoke 'OnConnected' due to an error on the server. HubException: Method does not exist.");
  },

  async too_few_arguments(t) {
    const c = await t.connect();
    await t.fails(c.invoke("Add", 1), "Failed to invoke 'Add' due to an error on the server.");
  },

  async too_many_arguments(t) {
    const c = await t.connect();
    await t.fails(c.invoke("Add", 1, 2, 3), "Failed to invoke 'Add' due to an error on the server.");
  },

  async wrong_argument_type(t) {
    const c = await t.connect();
    await t.fails(c.invoke("Add", 1, "two"), "Failed to invoke 'Add' due to an error on the server.");
    t.equal(await c.invoke("Add", 1, 2), 3, "the connection lives on");
  },

  // The strict hub has detailed errors.
  async plain_error_detailed(t) {
    const c = await t.connect({ path: "/strict" });
    await t.fails(c.invoke("Fail"), "An unexpected error occurred invoking 'Fail' on the server. Error: the disk is full");
  },

  async argument_count_detailed(t) {
    const c = await t.connect({ path: "/strict" });
    await t.fails(c.invoke("Add", 1),
      "Failed to invoke 'Add' due to an error on the server. " +
      "InvalidDataException: Invocation provides 1 argument(s) but target expects 2.");
  },

  async argument_type_detailed(t) {
    const c = await t.connect({ path: "/strict" });
    const which = t.protocol === "json" ? "arguments" : "argument 1";
    await t.fails(c.invoke("Add", 1, "two"),
      `Failed to invoke 'Add' due to an error on the server. InvalidDataException: Error binding ${which}. ` +
      "Make sure that the types of the provided values match the types of the hub method being invoked.");
  },

  async stream_of_a_plain_method(t) {
    const c = await t.connect();
    const end = new Promise((resolve, reject) =>
      c.connection.stream("Add", 1, 2).subscribe({ next: () => {}, complete: resolve, error: reject }));
    await t.fails(end, "The client attempted to invoke the non-streaming 'Add' method with a streaming invocation.");
  },
};

for (const [name, value] of Object.entries(values)) {
  module.exports[`echo_${name}`] = async (t) => {
    const c = await t.connect();
    t.equal(await c.invoke("Echo", value), value);
  };
}
