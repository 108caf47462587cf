// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The counters of a namespace.

use crate::value::values;

values! {
    /// A counter; each has its own attribute.
    pub enum Counter(u16), enum "stats" {
        #[doc = "Connections opened from this side."]
        1 "connects" Connects,
        #[doc = "Connections accepted from a listener."]
        2 "accepts" Accepts,
        #[doc = "Set-ups that this side started and that failed."]
        3 "connect-failures" ConnectFailures,
        #[doc = "Flows that were established."]
        4 "flows-opened" FlowsOpened,
        #[doc = "Flows that ended."]
        5 "flows-closed" FlowsClosed,
        #[doc = "Moves that this side started."]
        6 "moves-started" MovesStarted,
        #[doc = "Moves of this side that were completed."]
        7 "moves-completed" MovesCompleted,
        #[doc = "Moves of this side that were given up."]
        8 "moves-failed" MovesFailed,
        #[doc = "Moves of a peer that were proven and obeyed."]
        9 "peer-moves" PeerMoves,
        #[doc = "Moves that this side started because its address was lost."]
        10 "failovers" Failovers,
        #[doc = "Local addresses in use that vanished."]
        11 "addresses-gone" AddressesGone,
        #[doc = "Flows that lost their last usable address."]
        12 "suspensions" Suspensions,
        #[doc = "Control packets received."]
        13 "rx-control" RxControl,
        #[doc = "Control packets sent."]
        14 "tx-control" TxControl,
        #[doc = "RSTs received and believed."]
        15 "resets-received" ResetsReceived,
        #[doc = "Late packets of closed flows that were answered."]
        16 "draining-answers" DrainingAnswers,
        #[doc = "Packets of another protocol version that were answered."]
        17 "version-answers" VersionAnswers,
        #[doc = "Packets that end inside their header or an option."]
        18 "drop-truncated" DropTruncated,
        #[doc = "Packets with a wrong header length."]
        19 "drop-header-length" DropHeaderLength,
        #[doc = "Control packets with bytes after their end."]
        20 "drop-trailing-bytes" DropTrailingBytes,
        #[doc = "Packets of an unknown type."]
        21 "drop-unknown-type" DropUnknownType,
        #[doc = "Control packets with an option of a wrong length."]
        22 "drop-option-length" DropOptionLength,
        #[doc = "Control packets with an option of a wrong value."]
        23 "drop-option-value" DropOptionValue,
        #[doc = "Control packets whose padding is not zero."]
        24 "drop-padding" DropPadding,
        #[doc = "Control packets with options out of order."]
        25 "drop-option-order" DropOptionOrder,
        #[doc = "Control packets with an unknown mandatory option."]
        26 "drop-unknown-option" DropUnknownOption,
        #[doc = "Control packets that lack an option of their type."]
        27 "drop-missing-option" DropMissingOption,
        #[doc = "Packets with a flow ID that cannot be one."]
        28 "drop-flow-id" DropFlowId,
        #[doc = "Packets of another protocol version."]
        29 "drop-unknown-version" DropUnknownVersion,
        #[doc = "Packets for a flow ID that nobody has."]
        30 "drop-unknown-flow" DropUnknownFlow,
        #[doc = "Packets whose flow IDs do not belong together."]
        31 "drop-wrong-sender" DropWrongSender,
        #[doc = "Control packets whose MAC does not verify."]
        32 "drop-bad-mac" DropBadMac,
        #[doc = "Public keys of low order, and failed key exchanges."]
        33 "drop-bad-key" DropBadKey,
        #[doc = "Address messages of a version older than one seen before."]
        34 "drop-stale-version" DropStaleVersion,
        #[doc = "Address messages of a version that was not sent yet."]
        35 "drop-future-version" DropFutureVersion,
        #[doc = "ACKs for a version that has a proven address already."]
        36 "drop-already-validated" DropAlreadyValidated,
        #[doc = "Tokens that were not made here for this version and address."]
        37 "drop-bad-token" DropBadToken,
        #[doc = "Answers from an address that nothing was sent to."]
        38 "drop-unexpected-source" DropUnexpectedSource,
        #[doc = "Answers by the encapsulation that came second."]
        39 "drop-other-encapsulation" DropOtherEncapsulation,
        #[doc = "Packets that have no meaning in the state of the flow."]
        40 "drop-wrong-state" DropWrongState,
        #[doc = "PONGs that answer no ping."]
        41 "drop-unexpected-pong" DropUnexpectedPong,
        #[doc = "SYNs of a half-open flow that differ from its first."]
        42 "drop-different-syn" DropDifferentSyn,
        #[doc = "Control packets beyond control-rate."]
        43 "drop-rate-limited" DropRateLimited,
        #[doc = "Control packets beyond the answers that can wait."]
        44 "drop-queue-full" DropQueueFull,
        #[doc = "Data packets that arrived where control was expected."]
        45 "drop-not-control" DropNotControl,
        #[doc = "Packets of a known type that this host takes no part in."]
        46 "drop-unsupported" DropUnsupported,
        #[doc = "Packets that were not sent to this host."]
        47 "drop-other-host" DropOtherHost,
        #[doc = "SYNs for a service without a listener."]
        48 "drop-no-listener" DropNoListener,
        #[doc = "SYNs for a listener whose queue is full."]
        49 "drop-backlog" DropBacklog,
        #[doc = "SYNs beyond max-half-open."]
        50 "drop-half-open" DropHalfOpen,
        #[doc = "Set-ups beyond max-connections."]
        51 "drop-max-connections" DropMaxConnections,
        #[doc = "Addresses beyond max-addresses."]
        52 "drop-max-addresses" DropMaxAddresses,
        #[doc = "Control packets beyond the queue of the namespace."]
        53 "drop-control-queue" DropControlQueue,
        #[doc = "Data packets beyond the queue of a flow that is being set up."]
        54 "drop-early-data" DropEarlyData,
        #[doc = "Packets for which there was no memory."]
        55 "drop-no-memory" DropNoMemory,
        #[doc = "First SYNs for no service and packets of other versions beyond the rate at which they are answered."]
        56 "drop-stranger-rate" DropStrangerRate,
        #[doc = "Outgoing packets of a flow without a usable path."]
        57 "drop-no-path" DropNoPath,
        #[doc = "Outgoing packets without a route."]
        58 "drop-no-route" DropNoRoute,
        #[doc = "Data packets for a flow that is over."]
        59 "drop-closed" DropClosed,
        #[doc = "Moves that were asked for and refused."]
        60 "refused-moves" RefusedMoves,
        #[doc = "Notifications for which there was no memory, and path events that a full queue had no room for."]
        61 "events-lost" EventsLost,
        #[doc = "Times that a path in use did not answer."]
        62 "path-troubles" PathTroubles,
        #[doc = "Times that such a path answered again before the flow had left it."]
        63 "path-recoveries" PathRecoveries,
        #[doc = "Moves away from a path that did not answer."]
        64 "path-failovers" PathFailovers,
        #[doc = "Moves back to a preferred path that answers again."]
        65 "path-returns" PathReturns,
        #[doc = "Flows that were added to a connection, from either side."]
        66 "flows-added" FlowsAdded,
        #[doc = "Flows that a peer asked for and that this host refused, or wanted elsewhere."]
        67 "flows-refused" FlowsRefused,
        #[doc = "Requests to add, remove or prefer a flow that were refused here."]
        68 "refused-flows" RefusedFlows,
        #[doc = "Times that the data of a connection took another flow."]
        69 "carrier-changes" CarrierChanges,
        #[doc = "Connections of datagram sockets that were closed because they were idle."]
        70 "datagram-idle" DatagramIdle,
        #[doc = "Received datagrams whose UDP header is not that of their flow."]
        71 "drop-datagram-header" DropDatagramHeader,
        #[doc = "Received datagrams with a wrong checksum."]
        72 "drop-datagram-checksum" DropDatagramChecksum,
        #[doc = "Received datagrams beyond the socket's receive buffer."]
        73 "drop-datagram-buffer" DropDatagramBuffer,
        #[doc = "Datagrams that found no path in time, or too many waiting for one."]
        74 "drop-datagram-waiting" DropDatagramWaiting,
        #[doc = "Datagrams that waited for a path and were too long for it."]
        75 "drop-datagram-size" DropDatagramSize,
        #[doc = "Datagrams that the device's queue did not take."]
        76 "drop-datagram-device" DropDatagramDevice,
        #[doc = "Peers beyond max-datagram-peers."]
        77 "drop-datagram-peers" DropDatagramPeers,
        #[doc = "First SYNs that were answered with a cookie."]
        78 "cookies-sent" CookiesSent,
        #[doc = "First SYNs with a cookie that proved their source."]
        79 "cookies-accepted" CookiesAccepted,
        #[doc = "First SYNs with a cookie that was not made here for them, or is too old."]
        80 "drop-bad-cookie" DropBadCookie,
        #[doc = "Packets of unknown flows that were answered with a stateless reset."]
        81 "resets-sent" ResetsSent,
        #[doc = "Packets of unknown flows beyond the rate of stateless resets."]
        82 "resets-withheld" ResetsWithheld,
        #[doc = "Flows that ended because the peer proved that it knows them no more."]
        83 "flows-lost" FlowsLost,
        #[doc = "Addresses of peers that a NAT had changed and that were proven."]
        84 "rebindings" Rebindings,
        #[doc = "Unannounced sources that were not obeyed, because the address on record answered."]
        85 "rebindings-refused" RebindingsRefused,
        #[doc = "Smaller packets tried because large ones did not arrive on a path that answers."]
        86 "mtu-black-holes" MtuBlackHoles,
        #[doc = "Tickets that routers have given to this host."]
        87 "redirect-tickets" RedirectTickets,
        #[doc = "Times that a router agreed to send on RSYNs to this host."]
        88 "redirect-registered" RedirectRegistered,
        #[doc = "Tickets that this router has given."]
        89 "redirect-issued" RedirectIssued,
        #[doc = "Entries that movers made or changed at this router."]
        90 "redirect-learnt" RedirectLearnt,
        #[doc = "RSYNs that this router has sent on to where a mover is."]
        91 "redirect-hits" RedirectHits,
        #[doc = "Entries of this router that have lasted long enough."]
        92 "redirect-expired" RedirectExpired,
        #[doc = "Entries of this router whose movers are at the old address again."]
        93 "redirect-withdrawn" RedirectWithdrawn,
        #[doc = "Movers without a ticket of this router for the address and the flow."]
        94 "redirect-forged" RedirectForged,
        #[doc = "Movers that named another address than the one that they sent from."]
        95 "redirect-misplaced" RedirectMisplaced,
        #[doc = "Movers that named an older move than the one that this router knows."]
        96 "redirect-stale" RedirectStale,
        #[doc = "Movers for which this router had no room."]
        97 "redirect-full" RedirectFull,
        #[doc = "Requests to this router beyond the rate at which they are answered."]
        98 "redirect-limited" RedirectLimited,
        #[doc = "Connections that became members of a bundle."]
        99 "bundle-joins" BundleJoins,
        #[doc = "Members that a bundle lost or let go."]
        100 "bundle-leaves" BundleLeaves,
        #[doc = "First SYNs that wanted to join a bundle without the proof, or one that is not there or full."]
        101 "drop-join" DropJoin,
        #[doc = "Records that no peer may send; the bundle was ended."]
        102 "drop-record" DropRecord,
        #[doc = "Local IDs of flows that were replaced."]
        103 "flow-ids-renewed" FlowIdsRenewed,
        #[doc = "Remote IDs of flows that were replaced."]
        104 "peer-flow-ids-renewed" PeerFlowIdsRenewed,
        #[doc = "New local IDs that could not be entered; the flow went on with the old one."]
        105 "flow-ids-refused" FlowIdsRefused,
        #[doc = "Rebindings that were taken back, because the address before them answered after all."]
        106 "rebindings-reverted" RebindingsReverted,
        #[doc = "HOLE-PUNCHes that asked peers to open their NATs for a move of this host."]
        107 "punches-sent" PunchesSent,
        #[doc = "HOLE-PUNCHes of peers that were answered at the address that they name."]
        108 "punches-answered" PunchesAnswered,
        #[doc = "HOLE-PUNCHes of peers that were too many, or name an address that nothing may be sent to."]
        109 "punches-refused" PunchesRefused,
    }
}
