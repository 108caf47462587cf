# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The protocol: its rules (protocol.md section 8), and the steps that are made of them.

A step is a function (state, parameters) -> (guard, next state). Each decision that a rule makes is
one small method, so that a mutant (mutants.py) is this class with one method replaced.
"""
from z3 import And, If, Not, Or

from connection import (ESTABLISHED, FIRST, NAME, NONE, SYN_RCVD, SYN_SENT, opens)


class Rules:
    """What the hosts do. `i` is always the mover, `j` its peer."""

    # Decisions of the rules.

    def supersedes(self, v, newest):
        """R1: a version becomes the candidate when it is newer than all seen; gaps are fine."""
        return v > newest

    def stops_timer(self, v, ver):
        """R2: only the answer to the current version, exactly, stops the mover's timer."""
        return v == ver

    def answers_again(self):
        """R3: the mover answers every (R)SYN-ACK of its current version, also when it is done."""
        return True

    def repeats_answer(self):
        """R4: the peer repeats its (R)SYN-ACK on a timer of its own."""
        return True

    def may_validate(self, v, cand):
        """R5: an ACK validates the candidate of exactly its version."""
        return v == cand

    def answer_to(self, source, on_record):
        """R6: a reply goes to the source of the packet that it answers."""
        return source

    def destinations(self, env, s, i, f, d):
        """R7: an RSYN goes to every address on record, those of other flows included."""
        return Or(on_record(s, 1 - i, f, d), on_record(s, 1 - i, FIRST, d), env.extra(s, i, f, d))

    def syn_destinations(self, env, s, i, f, d):
        """R12: a later SYN goes to every address learnt on other flows; the first, to the name."""
        return Or(And(f == FIRST, d == NAME[1 - i]),
                  And(f != FIRST, on_record(s, 1 - i, FIRST, d)),
                  And(f != FIRST, env.extra(s, i, FIRST, d)))

    def accepts_rsyn(self, est):
        """R8: an RSYN is accepted from SYN_RCVD on, and completes the handshake there."""
        return Or(est == SYN_RCVD, est == ESTABLISHED)

    def on_data(self, s, i, f, src):
        """R9: data from any address changes nothing."""
        return s

    def validated_address(self, s, i, f, token):
        """R10: the address that the token is bound to becomes valid, whatever was seen since."""
        return token

    def first_of_version(self, v, val):
        """R10b: the first ACK of a version wins."""
        return v > val

    def suspects(self, silent):
        """R10b: a mover that hears nothing any more starts a new version."""
        return silent

    def believes_syn_ack(self, s, i, f, src):
        """R12: a SYN-ACK counts only from an address that the SYN was sent to."""
        return s.sent(i, f, src)

    def token_of_source(self, s, i, f, src, echo):
        """R18: on a later flow a SYN-ACK counts only with the token that went to its source."""
        return Or(f == FIRST, echo == src)

    def returns(self, s, j, f, echo):
        """R18: a token can be returned by who has read it, and for its own flow."""
        return s.asked(j, f, echo)

    def token_returned(self, dst):
        """R18: the token of the very SYN that is answered."""
        return dst

    def answers_known(self):
        """R13: an RSYN of a version that is validated already is still answered."""
        return True

    def next_version(self, ver):
        """R14: a version is incremented, and never wraps."""
        return ver + 1

    def on_syn(self, s, i, f, v, src):
        """A SYN proves nothing about its source: it is recorded as a candidate only."""
        return s

    def data_destination(self, s, i, f):
        """Data goes to the validated record; there is none before the handshake has ended."""
        return And(s.est(1 - i, f) == ESTABLISHED, s.val(i, f) >= 0), s.val(i, f), s.adr(i, f)

    def ack_in_flight(self, s, i, f, v, token, dst):
        """An ACK is of one flow: both flow IDs are under its MAC."""
        return s.ak(i, f, v, token, dst)

    def answered_sources(self, s, i, f, a):
        """R15: a pending version is answered at every source that it came from."""
        return s.src(i, f, a)

    def guesses_token(self):
        """No host can name a token that it has not read."""
        return False

    # Steps of the application and of the host that moves.

    def open(self, s, i, f, b):
        """Host i opens flow f from its address b: the first, or another of the connection."""
        allowed = Or(f == FIRST, s.est(i, FIRST) == ESTABLISHED)
        guard = And(s.est(i, f) == NONE, opens(i, f), allowed)
        s = s.put("est", i, (f,), SYN_SENT).put("acked", i, (f,), False)
        return guard, s.put("cur", i, (f,), b).put("held", i, (b,)).put("own", i, (f, 0, b))

    def start_version(self, s, i, f, b):
        """Flow f of host i moves to b, or starts again at b: a new version, its timer armed."""
        guard = s.est(i, f) != NONE
        v = self.next_version(s.ver(i, f))
        s = s.put("ver", i, (f,), v).put("acked", i, (f,), False).put("cur", i, (f,), b)
        return guard, s.put("held", i, (b,)).put("own", i, (f, v, b))

    # Timers.

    def send_syn(self, s, i, f, src, dst):
        """SYN timer: repeated from the current source until the SYN-ACK comes."""
        return s.est(i, f) == SYN_SENT, (
            s.put("syn", i, (f, s.ver(i, f), src, dst)).put("sent", i, (f, dst)))

    def send_rsyn(self, s, i, f, src, dst):
        """RSYN timer: armed by a move, stopped by the RSYN-ACK of the current version."""
        guard = And(self.accepts_rsyn_state(s.est(i, f)), Not(s.acked(i, f)))
        return guard, s.put("rs", i, (f, s.ver(i, f), src, dst))

    def send_syn_ack(self, s, i, f, token, src, echo):
        """SYN-ACK timer of the responder j: to each of the sources, from an address of its own."""
        j = 1 - i
        guard = And(s.est(j, f) == SYN_RCVD, self._repeats_to(s, i, f, token))
        t = s.put("sa", i, (f, s.cand(i, f), token, src, echo))
        return guard, t.put("own", j, (f, 0, src))

    def answering(self, s, j, f, echo):
        """Where a repeated SYN-ACK leaves from: where its SYN came to, as long as that is reached."""
        return If(And(f != FIRST, s.held(j, echo)), echo, s.cur(j, f))

    def send_rsyn_ack(self, s, i, f, token, src):
        """RSYN-ACK timer of the peer: runs while its candidate is not validated."""
        guard = And(s.est(1 - i, f) == ESTABLISHED, self._repeats_to(s, i, f, token))
        return guard, s.put("ra", i, (f, s.cand(i, f), token, src))

    def _repeats_to(self, s, i, f, token):
        return And(s.cand(i, f) > s.val(i, f), self.answered_sources(s, i, f, token),
                   self.repeats_answer())

    def send_data(self, s, i, f):
        """The peer sends data to mover i."""
        guard, v, a = self.data_destination(s, i, f)
        return guard, s.put("dat", i, (f, v, a))

    # Deliveries. The packet is in flight and its destination reaches the receiver now.

    def deliver_syn(self, s, i, f, v, src, dst, answering):
        """The responder j gets a SYN: recorded, answered to its source, and not used yet.

        The SYN-ACK says that it comes from `answering`, which is `dst` unless somebody lies.
        """
        j = 1 - i
        new = s.est(j, f) == NONE
        guard = And(s.syn(i, f, v, src, dst), s.held(j, dst), Or(new, s.est(j, f) == SYN_RCVD),
                    v >= s.cand(i, f))
        t = s.put("est", j, (f,), SYN_RCVD, new).put("acked", j, (f,), True, new)
        t = t.put("cur", j, (f,), dst, new)
        t = self._record(t, s, i, f, v, src)
        t = self.on_syn(t, i, f, v, src).put("own", j, (f, 0, dst)).put("asked", j, (f, dst))
        return guard, t.put("sa", i, (f, v, src, answering, self.token_returned(dst)))

    def deliver_rsyn(self, s, i, f, v, src, dst):
        """The peer j gets an RSYN: recorded, answered to its source, and not used yet."""
        j = 1 - i
        guard = And(s.rs(i, f, v, src, dst), s.held(j, dst), self.accepts_rsyn(s.est(j, f)),
                    Or(self.supersedes(v, s.cand(i, f)), v == s.cand(i, f)))
        t = s.put("est", j, (f,), ESTABLISHED)
        t = self._record(t, s, i, f, v, src)
        to = self.answer_to(src, s.adr(i, f))
        answered = Or(v != s.val(i, f), self.answers_known())
        return guard, t.put("ra", i, (f, v, to, dst), True, answered)

    def deliver_syn_ack(self, s, i, f, v, token, src, echo):
        """The initiator i gets a SYN-ACK: establishes, and takes the responder's first address."""
        j = 1 - i
        first = s.est(i, f) == SYN_SENT
        guard = And(s.sa(i, f, v, token, src, echo), s.held(i, token),
                    self.stops_timer(v, s.ver(i, f)), s.est(i, f) != NONE,
                    Or(Not(first), And(self.believes_syn_ack(s, i, f, src),
                                       self.token_of_source(s, i, f, src, echo))))
        t = s.put("est", i, (f,), ESTABLISHED)
        for name, value in (("cand", 0), ("val", 0), ("adr", src)):
            t = t.put(name, j, (f,), value, first)
        return guard, self._acknowledge(t, s, i, f, v, token, src)

    def deliver_rsyn_ack(self, s, i, f, v, token, src):
        """The mover i gets an RSYN-ACK at the token's address."""
        guard = And(s.ra(i, f, v, token, src), s.held(i, token), self.stops_timer(v, s.ver(i, f)),
                    self.accepts_rsyn_state(s.est(i, f)))
        return guard, self._acknowledge(s, s, i, f, v, token, src)

    def deliver_ack(self, s, i, f, v, token, dst):
        """The peer j gets the ACK: only now the token's address becomes valid."""
        j = 1 - i
        guard = And(self.ack_in_flight(s, i, f, v, token, dst), s.held(j, dst),
                    self.accepts_rsyn_state(s.est(j, f)),
                    self.may_validate(v, s.cand(i, f)), self.first_of_version(v, s.val(i, f)))
        t = s.put("val", i, (f,), s.cand(i, f)).put("est", j, (f,), ESTABLISHED)
        return guard, t.put("adr", i, (f,), self.validated_address(s, i, f, token))

    def deliver_data(self, s, i, f, src):
        """The peer gets data of mover i from any source, an old or a forged one too."""
        return True, self.on_data(s, i, f, src)

    def forge_ack(self, s, i, f, token, dst):
        """The mover echoes a token that never reached it (possible in a mutant only)."""
        return And(self.guesses_token(), s.est(i, f) == ESTABLISHED), (
            s.put("ak", i, (f, s.ver(i, f), token, dst)))

    # Shared by the deliveries.

    @staticmethod
    def accepts_rsyn_state(est):
        """The flow has got through the first half of its handshake."""
        return Or(est == SYN_RCVD, est == ESTABLISHED)

    def _record(self, t, s, i, f, v, src):
        newer = self.supersedes(v, s.cand(i, f))
        pending = v > s.val(i, f)
        before = s.src

        def sources(g, a):
            one_more = Or(before(i, g, a), And(pending, g == f, a == src))
            return If(And(newer, g == f), a == src, one_more)

        return t.put("cand", i, (f,), v, newer).replace("src", i, sources)

    def _acknowledge(self, t, s, i, f, v, token, src):
        again = Or(Not(s.acked(i, f)), self.answers_again())
        t = t.put("acked", i, (f,), True).put("lack", i, (f,), s.ver(i, f))
        t = t.put("got", i, (f, v, token)).put("own", i, (f, s.ver(i, f), token))
        to = self.answer_to(src, s.adr(1 - i, f))
        return t.put("ak", i, (f, v, token, to), True, again)


def on_record(s, j, f, d):
    """Address d of host j is on record at its peer on flow f, proven or not."""
    return Or(And(s.cand(j, f) > s.val(j, f), s.src(j, f, d)),
              And(s.val(j, f) >= 0, d == s.adr(j, f)))
