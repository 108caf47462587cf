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
        #[doc = "Flows that reached ESTABLISHED."]
        4 "flows-opened" FlowsOpened,
        #[doc = "Flows that ended."]
        5 "flows-closed" FlowsClosed,
        #[doc = "Moves that this side started."]
        6 "moves-started" MovesStarted,
        #[doc = "Moves of this side that completed."]
        7 "moves-completed" MovesCompleted,
        #[doc = "Moves of this side that were given up."]
        8 "moves-failed" MovesFailed,
        #[doc = "Moves of a peer that were proven and obeyed."]
        9 "peer-moves" PeerMoves,
        #[doc = "Changes of a peer's address by a NAT that were proven."]
        10 "rebindings" Rebindings,
        #[doc = "Moves that this side started because a path was lost."]
        11 "failovers" Failovers,
        #[doc = "Local addresses in use that vanished."]
        12 "addresses-gone" AddressesGone,
        #[doc = "Control packets received."]
        13 "rx-control" RxControl,
        #[doc = "Data packets received."]
        14 "rx-data" RxData,
        #[doc = "Control packets sent."]
        15 "tx-control" TxControl,
        #[doc = "Data packets sent; a segmented super-packet counts once."]
        16 "tx-data" TxData,
        #[doc = "Control messages sent again because no answer came."]
        17 "control-repeats" ControlRepeats,
        #[doc = "RST sent."]
        18 "resets-sent" ResetsSent,
        #[doc = "RST received and believed."]
        19 "resets-received" ResetsReceived,
        #[doc = "Late packets of closed flows that were answered."]
        20 "draining-answers" DrainingAnswers,
        #[doc = "Packets shorter than their header."]
        21 "drop-short" DropShort,
        #[doc = "Packets of an unknown protocol version."]
        22 "drop-version" DropVersion,
        #[doc = "Packets of an unknown type."]
        23 "drop-type" DropType,
        #[doc = "Packets whose lengths contradict each other."]
        24 "drop-length" DropLength,
        #[doc = "Packets with a bad or an unknown mandatory option."]
        25 "drop-option" DropOption,
        #[doc = "Packets for a flow ID that nobody has."]
        26 "drop-flow" DropFlow,
        #[doc = "Packets whose flow IDs do not belong together."]
        27 "drop-peer" DropPeer,
        #[doc = "Packets that have no meaning in the state of the flow."]
        28 "drop-state" DropState,
        #[doc = "Control packets whose MAC is wrong or missing."]
        29 "drop-authentication" DropAuthentication,
        #[doc = "Address messages of a version that was superseded."]
        30 "drop-old-version" DropOldVersion,
        #[doc = "Answers to a challenge that was not made."]
        31 "drop-challenge" DropChallenge,
        #[doc = "Cookies that this host did not give or that are too old."]
        32 "drop-cookie" DropCookie,
        #[doc = "SYN for a service without a listener."]
        33 "drop-service" DropService,
        #[doc = "SYN for a listener whose queue is full."]
        34 "drop-backlog" DropBacklog,
        #[doc = "SYN beyond max-half-open."]
        35 "drop-half-open" DropHalfOpen,
        #[doc = "Set-ups beyond max-connections."]
        36 "drop-limit-connections" DropLimitConnections,
        #[doc = "Flows beyond max-flows of a connection."]
        37 "drop-limit-flows" DropLimitFlows,
        #[doc = "IList entries beyond max-addresses."]
        38 "drop-limit-addresses" DropLimitAddresses,
        #[doc = "Control packets beyond max-control-rate."]
        39 "drop-rate" DropRate,
        #[doc = "Bytes held back from an address that is not proven yet."]
        40 "drop-unproven" DropUnproven,
        #[doc = "Packets with a wrong UDP checksum."]
        41 "drop-checksum" DropChecksum,
        #[doc = "Packets or events for which there was no memory."]
        42 "drop-no-memory" DropNoMemory,
        #[doc = "Data packets beyond the queue of a flow that is being set up."]
        43 "drop-queue" DropQueue,
        #[doc = "Outgoing packets of a flow without a usable path."]
        44 "drop-no-path" DropNoPath,
        #[doc = "Outgoing packets without a route."]
        45 "drop-no-route" DropNoRoute,
        #[doc = "Packets in a namespace that is going away."]
        46 "drop-namespace" DropNamespace,
        #[doc = "Moves that a command asked for and that were refused."]
        47 "refused-moves" RefusedMoves,
        #[doc = "Requests that lacked CAP_NET_ADMIN or ownership."]
        48 "refused-permission" RefusedPermission,
        #[doc = "Notifications that could not be built or delivered."]
        49 "events-lost" EventsLost,
    }
}
