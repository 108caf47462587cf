# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Wrong protocols. Each breaks one rule, and exactly the obligations named here must fail."""
from dataclasses import dataclass

from z3 import And, BoolVal, Const, If, Or

from connection import ADDRESS, ESTABLISHED, FIRST, FLOW, SYN_RCVD
from rules import Rules


@dataclass(frozen=True)
class Mutant:
    """A broken rule, and where that must be noticed."""
    name: str
    rule: str
    breaks: str
    rules: Rules
    section: str
    environment: str
    rejected_by: tuple


class _StaleReplaces(Rules):
    def supersedes(self, v, newest):
        return v != newest


class _OldAnswerStopsTimer(Rules):
    def stops_timer(self, v, ver):
        return v <= ver


class _AnswersOnce(Rules):
    def answers_again(self):
        return False


class _NeverRepeatsAnswer(Rules):
    def repeats_answer(self):
        return BoolVal(False)


class _OldAckValidates(Rules):
    def may_validate(self, v, cand):
        return v <= cand


class _AnswersRecordedAddress(Rules):
    def answer_to(self, source, on_record):
        return on_record


class _ValidatedAddressOnly(Rules):
    def destinations(self, env, s, i, f, d):
        return And(s.val(1 - i, f) >= 0, d == s.adr(1 - i, f))


class _NoRsynInSynRcvd(Rules):
    def accepts_rsyn(self, est):
        return est == ESTABLISHED


class _DataMoves(Rules):
    def on_data(self, s, i, f, src):
        return s.put("adr", i, (f,), src)


class _LastSourceValidated(Rules):
    def validated_address(self, s, i, f, token):
        last = Const("last_source", ADDRESS)
        return If(s.src(i, f, last), last, token)


class _GuessedToken(Rules):
    def guesses_token(self):
        return True


class _SecondAckReplaces(Rules):
    def first_of_version(self, v, val):
        return v >= val


class _NeverSuspects(Rules):
    def suspects(self, silent):
        return BoolVal(False)


class _SuspectsAlways(Rules):
    def suspects(self, silent):
        return BoolVal(True)


class _SynAckFromAnywhere(Rules):
    def believes_syn_ack(self, s, i, f, src):
        return BoolVal(True)


class _TokenNotAsked(Rules):
    def token_of_source(self, s, i, f, src, echo):
        return BoolVal(True)


class _TokenOfAnyAddress(Rules):
    def token_of_source(self, s, i, f, src, echo):
        return Or(f == FIRST, s.sent(i, f, echo))


class _TokenOfAnotherFlow(Rules):
    def returns(self, s, j, f, echo):
        return s.asked(j, Const("another_flow", FLOW), echo)


class _TokenNotRead(Rules):
    def returns(self, s, j, f, echo):
        return BoolVal(True)


class _EarlierTokenReturned(Rules):
    def token_returned(self, dst):
        return Const("earlier_destination", ADDRESS)


class _LaterSynToNameOnly(Rules):
    def syn_destinations(self, env, s, i, f, d):
        return And(super().syn_destinations(env, s, i, f, d), f == FIRST)


class _KnownVersionUnanswered(Rules):
    def answers_known(self):
        return False


class _VersionWraps(Rules):
    def next_version(self, ver):
        return If(ver < 255, ver + 1, 0)


class _SynProves(Rules):
    def on_syn(self, s, i, f, v, src):
        return s.put("val", i, (f,), v).put("adr", i, (f,), src)


class _DataToCandidate(Rules):
    def data_destination(self, s, i, f):
        source = Const("some_source", ADDRESS)
        candidate = And(s.est(1 - i, f) == ESTABLISHED, s.src(i, f, source))
        return candidate, s.cand(i, f), source


class _DataInSynRcvd(Rules):
    def data_destination(self, s, i, f):
        established, v, a = super().data_destination(s, i, f)
        source = Const("some_source", ADDRESS)
        early = And(s.est(1 - i, f) == SYN_RCVD, s.src(i, f, source))
        return Or(established, early), If(early, s.cand(i, f), v), If(early, source, a)


class _AckOfAnotherFlow(Rules):
    def ack_in_flight(self, s, i, f, v, token, dst):
        return s.ak(i, Const("another_flow", FLOW), v, token, dst)


class _AnswersOneSource(Rules):
    def answered_sources(self, s, i, f, a):
        return And(s.src(i, f, a), a == Const("last_source", ADDRESS))


class _SequenceNumbers(Rules):
    def supersedes(self, v, newest):
        return v == newest + 1


class _BumpsOnRepetition(Rules):
    def send_rsyn(self, s, i, f, src, dst):
        guard, t = super().send_rsyn(s, i, f, src, dst)
        return guard, t.put("ver", i, (f,), s.ver(i, f) + 1)


# Names of obligations without the host's number: a rule that is broken breaks for both.
SETTLED = ("first-flow", "later-flow")
MUTANTS = (
    Mutant("stale-replaces", "R1", "an older RSYN replaces a newer one", _StaleReplaces(),
           "safety", "adverse",
           tuple(f"deliver-rsyn/{clause}" for clause in (
               "order", "acked", "read", "syn-ack", "rsyn-ack", "newer-only"))),
    Mutant("sequence-numbers", "R1", "only version n+1 is accepted after n", _SequenceNumbers(),
           "settled", "one-mobile", SETTLED),
    Mutant("old-answer-stops-timer", "R2", "an older RSYN-ACK stops the timer",
           _OldAnswerStopsTimer(), "safety", "adverse",
           ("deliver-rsyn-ack/acked", "deliver-rsyn-ack/read",
            "deliver-syn-ack/acked", "deliver-syn-ack/read")),
    Mutant("answers-once", "R3", "a repeated RSYN-ACK gets no ACK", _AnswersOnce(),
           "settled", "one-mobile", SETTLED),
    Mutant("never-repeats-answer", "R4", "RSYN-ACK has no timer", _NeverRepeatsAnswer(),
           "settled", "one-mobile", SETTLED),
    Mutant("old-ack-validates", "R5", "ACK of an older version validates the candidate",
           _OldAckValidates(), "safety", "adverse", ("deliver-ack/proven",)),
    Mutant("answers-recorded-address", "R6", "replies go to the address on record",
           _AnswersRecordedAddress(), "settled", "alternative", SETTLED),
    Mutant("validated-address-only", "R7", "RSYN goes to the validated address only",
           _ValidatedAddressOnly(), "settled", "alternative", SETTLED),
    Mutant("no-rsyn-in-syn-rcvd", "R8", "RSYN is refused in SYN_RCVD", _NoRsynInSynRcvd(),
           "settled", "one-mobile", SETTLED),
    Mutant("data-moves", "R9", "the source of data becomes the address", _DataMoves(),
           "safety", "adverse", ("deliver-data/one-per-version", "deliver-data/proven")),
    Mutant("last-source-validated", "R10", "the ACK validates a source, not the token's address",
           _LastSourceValidated(), "safety", "adverse", ("deliver-ack/proven",)),
    Mutant("guessed-token", "R10", "a token can be named without having been read",
           _GuessedToken(), "safety", "adverse", ("forge-ack/ack",)),
    Mutant("second-ack-replaces", "R10b", "a second ACK of one version replaces the address",
           _SecondAckReplaces(), "safety", "adverse", ("deliver-ack/one-per-version",)),
    Mutant("never-suspects", "R10b", "a silent rebinding starts no new version",
           _NeverSuspects(), "settled", "one-mobile-nat", SETTLED),
    Mutant("suspects-always", "R10b", "a new version although the peer is heard",
           _SuspectsAlways(), "rank", "one-mobile-nat",
           ("suspect/lowers-rank", "suspect/one-source")),
    Mutant("releases-early", "R11", "the old address is given up at once", Rules(),
           "assumption", "release-at-once", ("lose-address/kept",)),
    Mutant("later-syn-to-name-only", "R12", "a later SYN ignores what other flows learnt",
           _LaterSynToNameOnly(), "settled", "one-mobile", ("later-flow",)),
    Mutant("syn-ack-from-anywhere", "R12", "a SYN-ACK counts from any address",
           _SynAckFromAnywhere(), "safety", "adverse", ("deliver-syn-ack/proven",)),
    Mutant("known-version-unanswered", "R13", "RSYN of a validated version gets no answer",
           _KnownVersionUnanswered(), "settled", "one-mobile", SETTLED),
    Mutant("version-wraps", "R14", "versions wrap at 256", _VersionWraps(),
           "safety", "adverse",
           tuple(f"move/{clause}" for clause in (
               "newer-only", "order", "owned", "rsyn", "syn"))),
    Mutant("bumps-on-repetition", "R14", "each repetition of RSYN has a new version",
           _BumpsOnRepetition(), "rank", "one-mobile", ("send-rsyn/lowers-rank",)),
    Mutant("answers-one-source", "R15", "a pending version is answered at one source only",
           _AnswersOneSource(), "settled", "one-mobile-nat", SETTLED),
    Mutant("token-not-asked", "R18", "a later SYN-ACK counts without the token of its source",
           _TokenNotAsked(), "safety", "adverse", ("deliver-syn-ack/proven",)),
    Mutant("token-of-any-address", "R18", "a SYN's token counts for every address it was sent to",
           _TokenOfAnyAddress(), "safety", "adverse", ("deliver-syn-ack/proven",)),
    Mutant("token-of-another-flow", "R18", "a SYN's token counts for every flow",
           _TokenOfAnotherFlow(), "safety", "adverse", ("send-syn-ack/syn-ack",)),
    Mutant("token-not-read", "R18", "a SYN-ACK may return a token that was never read",
           _TokenNotRead(), "safety", "adverse", ("send-syn-ack/syn-ack",)),
    Mutant("earlier-token-returned", "R18", "a repeated SYN is answered with the token of another",
           _EarlierTokenReturned(), "settled", "one-mobile", ("later-flow",)),
    Mutant("syn-proves", "section 5", "a SYN validates its source", _SynProves(),
           "safety", "adverse", ("deliver-syn/halves", "deliver-syn/proven")),
    Mutant("data-to-candidate", "section 4", "data goes to an address before its ACK",
           _DataToCandidate(), "safety", "adverse", ("send-data/data",)),
    Mutant("data-in-syn-rcvd", "R8", "SYN_RCVD sends data", _DataInSynRcvd(),
           "safety", "adverse", ("send-data/data",)),
    Mutant("ack-of-another-flow", "section 3", "an ACK counts for every flow of the connection",
           _AckOfAnotherFlow(), "safety", "adverse", ("deliver-ack/halves", "deliver-ack/proven")),
)
