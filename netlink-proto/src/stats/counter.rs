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
        #[doc = "Data packets delivered to a flow."]
        14 "rx-data" RxData,
        #[doc = "Control packets sent."]
        15 "tx-control" TxControl,
        #[doc = "Data packets sent; one that is segmented later counts once."]
        16 "tx-data" TxData,
        #[doc = "RSTs received and believed."]
        17 "resets-received" ResetsReceived,
        #[doc = "Late packets of closed flows that were answered."]
        18 "draining-answers" DrainingAnswers,
        #[doc = "Packets of another protocol version that were answered."]
        19 "version-answers" VersionAnswers,
        #[doc = "Packets that end inside their header or an option."]
        20 "drop-truncated" DropTruncated,
        #[doc = "Packets with a wrong header length."]
        21 "drop-header-length" DropHeaderLength,
        #[doc = "Control packets with bytes after their end."]
        22 "drop-trailing-bytes" DropTrailingBytes,
        #[doc = "Packets of an unknown type."]
        23 "drop-unknown-type" DropUnknownType,
        #[doc = "Control packets with an option of a wrong length."]
        24 "drop-option-length" DropOptionLength,
        #[doc = "Control packets with an option of a wrong value."]
        25 "drop-option-value" DropOptionValue,
        #[doc = "Control packets whose padding is not zero."]
        26 "drop-padding" DropPadding,
        #[doc = "Control packets with options out of order."]
        27 "drop-option-order" DropOptionOrder,
        #[doc = "Control packets with an unknown mandatory option."]
        28 "drop-unknown-option" DropUnknownOption,
        #[doc = "Control packets that lack an option of their type."]
        29 "drop-missing-option" DropMissingOption,
        #[doc = "Packets with a flow ID that cannot be one."]
        30 "drop-flow-id" DropFlowId,
        #[doc = "Packets of another protocol version."]
        31 "drop-unknown-version" DropUnknownVersion,
        #[doc = "Packets for a flow ID that nobody has."]
        32 "drop-unknown-flow" DropUnknownFlow,
        #[doc = "Packets whose flow IDs do not belong together."]
        33 "drop-wrong-sender" DropWrongSender,
        #[doc = "Control packets whose MAC does not verify."]
        34 "drop-bad-mac" DropBadMac,
        #[doc = "Public keys of low order, and failed key exchanges."]
        35 "drop-bad-key" DropBadKey,
        #[doc = "Address messages of a version older than one seen before."]
        36 "drop-stale-version" DropStaleVersion,
        #[doc = "Address messages of a version that was not sent yet."]
        37 "drop-future-version" DropFutureVersion,
        #[doc = "ACKs for a version that has a proven address already."]
        38 "drop-already-validated" DropAlreadyValidated,
        #[doc = "Tokens that were not made here for this version and address."]
        39 "drop-bad-token" DropBadToken,
        #[doc = "Answers from an address that nothing was sent to."]
        40 "drop-unexpected-source" DropUnexpectedSource,
        #[doc = "Answers by the encapsulation that came second."]
        41 "drop-other-encapsulation" DropOtherEncapsulation,
        #[doc = "Packets that have no meaning in the state of the flow."]
        42 "drop-wrong-state" DropWrongState,
        #[doc = "PONGs that answer no ping."]
        43 "drop-unexpected-pong" DropUnexpectedPong,
        #[doc = "SYNs of a half-open flow that differ from its first."]
        44 "drop-different-syn" DropDifferentSyn,
        #[doc = "Control packets beyond control-rate."]
        45 "drop-rate-limited" DropRateLimited,
        #[doc = "Control packets beyond the answers that can wait."]
        46 "drop-queue-full" DropQueueFull,
        #[doc = "Data packets that arrived where control was expected."]
        47 "drop-not-control" DropNotControl,
        #[doc = "Packets of a known type that this host takes no part in."]
        48 "drop-unsupported" DropUnsupported,
        #[doc = "Packets for a flow of another network namespace."]
        49 "drop-namespace" DropNamespace,
        #[doc = "Packets that were not sent to this host."]
        50 "drop-other-host" DropOtherHost,
        #[doc = "SYNs for a service without a listener."]
        51 "drop-no-listener" DropNoListener,
        #[doc = "SYNs for a listener whose queue is full."]
        52 "drop-backlog" DropBacklog,
        #[doc = "SYNs beyond max-half-open."]
        53 "drop-half-open" DropHalfOpen,
        #[doc = "Set-ups beyond max-connections."]
        54 "drop-max-connections" DropMaxConnections,
        #[doc = "Addresses beyond max-addresses."]
        55 "drop-max-addresses" DropMaxAddresses,
        #[doc = "Control packets beyond the queue of the namespace."]
        56 "drop-control-queue" DropControlQueue,
        #[doc = "Data packets beyond the queue of a flow that is being set up."]
        57 "drop-early-data" DropEarlyData,
        #[doc = "Packets for which there was no memory."]
        58 "drop-no-memory" DropNoMemory,
        #[doc = "Packets of strangers beyond the rate at which they are looked at."]
        59 "drop-stranger-rate" DropStrangerRate,
        #[doc = "Outgoing packets of a flow without a usable path."]
        60 "drop-no-path" DropNoPath,
        #[doc = "Outgoing packets without a route."]
        61 "drop-no-route" DropNoRoute,
        #[doc = "Data packets for a flow that is over."]
        62 "drop-closed" DropClosed,
        #[doc = "Moves that were asked for and refused."]
        63 "refused-moves" RefusedMoves,
        #[doc = "Notifications for which there was no memory."]
        64 "events-lost" EventsLost,
    }
}
