"use strict";

// Named sets of connections.

const { three, reach } = require("../three");

module.exports = {
  async join_and_leave(t) {
    const { peers } = await three(t);
    await peers[0].invoke("Join", "g");
    await peers[1].invoke("Join", "g");
    await peers[2].invoke("ToGroup", "g", "a");
    await reach(t, peers, "a", 1, 1, 0);
    await peers[0].invoke("Leave", "g");
    await peers[2].invoke("ToGroup", "g", "b");
    await reach(t, peers, "b", 0, 1, 0);
  },

  async join_twice_leave_once(t) {
    const { peers } = await three(t);
    await peers[0].invoke("Join", "g");
    await peers[0].invoke("Join", "g");
    await peers[0].invoke("ToGroup", "g", "a");
    await reach(t, peers, "a", 1, 0, 0);
    await peers[0].invoke("Leave", "g");
    await peers[0].invoke("ToGroup", "g", "b");
    await reach(t, peers, "b", 0, 0, 0);
  },

  async members_made_by_others(t) {
    const { peers, ids } = await three(t);
    await peers[0].invoke("AddMember", ids[2], "g");
    await peers[0].invoke("AddMember", "no-such-id", "g");
    await peers[0].invoke("ToGroup", "g", "a");
    await reach(t, peers, "a", 0, 0, 1);
    await peers[0].invoke("RemoveMember", ids[2], "g");
    await peers[0].invoke("ToGroup", "g", "b");
    await reach(t, peers, "b", 0, 0, 0);
  },

  async others_in_group(t) {
    const { peers } = await three(t);
    for (const peer of peers) await peer.invoke("Join", "g");
    await peers[0].invoke("ToOthersInGroup", "g", "a");
    await reach(t, peers, "a", 0, 1, 1);
  },

  async group_except(t) {
    const { peers, ids } = await three(t);
    for (const peer of peers) await peer.invoke("Join", "g");
    await peers[0].invoke("ToGroupExcept", "g", [ids[1]], "a");
    await reach(t, peers, "a", 1, 0, 1);
  },

  async member_of_two_groups_gets_two(t) {
    const { peers } = await three(t);
    await peers[0].invoke("Join", "g");
    await peers[0].invoke("Join", "h");
    await peers[1].invoke("Join", "h");
    await peers[2].invoke("ToGroups", ["g", "h"], "a");
    await reach(t, peers, "a", 2, 1, 0);
  },

  async names_in_exact_spelling(t) {
    const { peers } = await three(t);
    await peers[0].invoke("Join", "Größe 1");
    await peers[1].invoke("Join", "größe 1");
    await peers[2].invoke("ToGroup", "Größe 1", "a");
    await reach(t, peers, "a", 1, 0, 0);
  },

  async membership_ends_with_the_connection(t) {
    const { peers } = await three(t);
    await peers[0].invoke("Join", "g");
    await peers[0].stop();
    await peers[0].start();
    await peers[1].invoke("ToGroup", "g", "a");
    await reach(t, peers, "a", 0, 0, 0);
  },
};
