"""Tests of the linearizability checker on histories that are known to be good or bad."""
import dataclasses
import random
import time
import unittest

import linearizability
from linearizability import FAILED, UNKNOWN, Op


def put(value, start, end, revision, key="k", **more):
    return Op("put", key, start, end, value=value, revision=revision, mod_revision=revision, **more)


def get(value, start, end, revision, mod_revision, key="k"):
    return Op("get", key, start, end, value=value, revision=revision, mod_revision=mod_revision)


def without_revisions(history):
    """Only the search's judgement."""
    settled, problems = linearizability._settle_unknown(history)
    return not problems and all(linearizability._search([op for op in settled if op.key == key]) for key in {op.key for op in settled})


class GoodHistories(unittest.TestCase):
    def good(self, *history):
        self.assertEqual([], linearizability.check(list(history)))

    def test_empty(self):
        self.good()

    def test_one_after_another(self):
        self.good(get(None, 0, 1, 1, 0), put("a", 2, 3, 2), get("a", 4, 5, 2, 2), put("b", 6, 7, 3), get("b", 8, 9, 3, 3))

    def test_a_read_beside_a_write_may_see_either(self):
        self.good(put("a", 0, 10, 2), get(None, 1, 2, 1, 0), get("a", 3, 4, 2, 2))

    def test_concurrent_writes_take_the_order_of_their_revisions(self):
        self.good(put("a", 0, 10, 3), put("b", 0, 10, 2), get("a", 11, 12, 3, 3))

    def test_an_unknown_write_that_took_effect_late(self):
        self.good(Op("put", "k", 0, outcome=UNKNOWN, value="a"), get(None, 1, 2, 1, 0), get("a", 100, 101, 2, 2))

    def test_an_unknown_write_that_never_happened(self):
        self.good(Op("put", "k", 0, outcome=UNKNOWN, value="a"), put("b", 1, 2, 2), get("b", 3, 4, 2, 2))

    def test_a_refused_write_that_nobody_saw(self):
        self.good(Op("put", "k", 0, 1, outcome=FAILED, value="a"), get(None, 2, 3, 1, 0))

    def test_keys_share_one_numbering(self):
        self.good(put("a", 0, 1, 2, "x"), put("b", 2, 3, 3, "y"), get("a", 4, 5, 3, 2, "x"), get("b", 4, 5, 3, 3, "y"))

    def test_swaps(self):
        self.good(put("a", 0, 1, 2),
                  Op("cas", "k", 2, 3, value="b", expected=2, revision=3, mod_revision=3),
                  Op("cas", "k", 4, 5, value="c", expected=2, swapped=False, revision=3, mod_revision=3, read_value="b"),
                  get("b", 6, 7, 3, 3))


class BadHistories(unittest.TestCase):
    def bad(self, part, *history):
        problems = linearizability.check(list(history))
        self.assertTrue(any(part in problem for problem in problems), problems)

    def test_a_stale_read(self):
        history = [put("a", 0, 1, 2), put("b", 2, 3, 3), get("a", 4, 5, 2, 2)]
        self.bad("went back in time", *history)
        self.assertFalse(without_revisions(history))

    def test_an_acknowledged_write_is_lost(self):
        history = [put("a", 0, 1, 2), get(None, 2, 3, 2, 0)]
        self.bad("the last write was put", *history)
        self.assertFalse(without_revisions(history))

    def test_two_reads_go_back(self):
        history = [put("a", 0, 1, 2), put("b", 2, 20, 3), get("b", 3, 4, 3, 3), get("a", 5, 6, 2, 2)]
        self.bad("went back in time", *history)
        self.assertFalse(without_revisions(history))

    def test_a_value_from_nowhere(self):
        self.bad("never written", get("ghost", 0, 1, 2, 2))

    def test_a_refused_write_is_seen(self):
        self.bad("a refused write was read", Op("put", "k", 0, 1, outcome=FAILED, value="a"), get("a", 2, 3, 2, 2))

    def test_an_unknown_write_takes_effect_before_it_began(self):
        history = [get("a", 0, 1, 2, 2), Op("put", "k", 5, outcome=UNKNOWN, value="a")]
        self.assertTrue(linearizability.check(history))
        self.assertFalse(without_revisions(history))

    def test_an_unknown_write_takes_effect_twice(self):
        history = [Op("put", "k", 0, outcome=UNKNOWN, value="a"), get("a", 1, 2, 2, 2), put("b", 3, 4, 3), get("a", 5, 6, 4, 4)]
        self.bad("was read with mod revisions", *history)
        self.assertFalse(without_revisions(history))

    def test_one_revision_for_two_writes(self):
        self.bad("two writes have revision 2", put("a", 0, 10, 2, "x"), put("b", 0, 10, 2, "y"))

    def test_revisions_against_real_time(self):
        self.bad("went back in time", put("a", 0, 1, 3), put("b", 2, 3, 2))

    def test_two_keys_that_are_fine_alone(self):
        # Each key by itself is linearizable; the numbering over both is not.
        history = [put("a", 0, 1, 3, "x"), put("b", 2, 3, 2, "y")]
        self.assertTrue(without_revisions(history))
        self.bad("went back in time", *history)

    def test_a_swap_that_should_have_failed(self):
        self.bad("swapped=True", put("a", 0, 1, 2), put("b", 2, 3, 3), Op("cas", "k", 4, 5, value="c", expected=2, revision=4, mod_revision=4))

    def test_a_swap_that_should_have_succeeded(self):
        self.bad("swapped=False", put("a", 0, 1, 2),
                 Op("cas", "k", 2, 3, value="c", expected=2, swapped=False, revision=2, mod_revision=2, read_value="a"))

    def test_a_wrong_mod_revision(self):
        self.bad("the last write was", put("a", 0, 1, 2), get("a", 2, 3, 2, 7))


class RandomHistories(unittest.TestCase):
    """Histories made by a real register with random delays are good; the same with one answer changed are bad."""

    def make(self, seed, count=400, clients=6):
        rng = random.Random(seed)
        last_read = {}  # a swap expects what its client has read
        free_at, history, state, revision = [0.0] * clients, [], {}, 1
        points = []
        for number in range(count):
            client = min(range(clients), key=lambda c: free_at[c])
            start = free_at[client] + rng.random()
            effect = start + rng.random()
            end = effect + rng.random()
            free_at[client] = end
            points.append((effect, start, end, number, rng.choice("xyz"), rng.random()))
        for effect, start, end, number, key, dice in sorted(points):
            value, mod = state.get(key, (None, 0))
            if dice < 0.4:
                history.append(get(value, start, end, revision, mod, key))
                last_read[key] = mod
            elif dice < 0.5:
                lost = rng.random() < 0.5
                if not lost:
                    revision += 1
                    state[key] = (str(number), revision)
                history.append(Op("put", key, start, outcome=UNKNOWN, value=str(number)))
            elif dice < 0.7:
                expected = last_read.get(key, 0)
                if expected == mod:
                    revision += 1
                    state[key] = (str(number), revision)
                    history.append(Op("cas", key, start, end, value=str(number), expected=expected, revision=revision, mod_revision=revision))
                else:
                    history.append(Op("cas", key, start, end, value=str(number), expected=expected, swapped=False, revision=revision,
                                      mod_revision=mod, read_value=value))
            else:
                revision += 1
                state[key] = (str(number), revision)
                history.append(put(str(number), start, end, revision, key))
        return history

    def test_made_by_a_register(self):
        for seed in range(30):
            self.assertEqual([], linearizability.check(self.make(seed)), f"seed {seed}")

    def test_one_read_is_replaced_by_an_older_one(self):
        caught = 0
        for seed in range(30):
            history = self.make(seed)
            reads = [op for op in history if op.kind == "get" and op.key == "x"]
            late, early = reads[-1], reads[0]
            if late.value == early.value:
                continue
            history[history.index(late)] = dataclasses.replace(late, value=early.value, mod_revision=early.mod_revision)
            self.assertTrue(linearizability.check(history), f"seed {seed}")
            self.assertFalse(without_revisions(history), f"seed {seed}")
            caught += 1
        self.assertGreater(caught, 20)

    def test_an_acknowledged_write_vanishes(self):
        for seed in range(30):
            history = self.make(seed)
            read = next(op for op in reversed(history) if op.kind == "get" and op.value is not None)
            rest = [op for op in history if not (op.kind != "get" and op.value == read.value)]
            self.assertTrue(linearizability.check(rest), f"seed {seed}")

    def test_a_long_history_takes_seconds(self):
        started = time.monotonic()
        self.assertEqual([], linearizability.check(self.make(1, count=20000, clients=8)))
        self.assertLess(time.monotonic() - started, 30)


if __name__ == "__main__":
    unittest.main()
