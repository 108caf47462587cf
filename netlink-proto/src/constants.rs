// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enumerations and numbers of the specification that more than one object uses.

use crate::value::{value_as_u32, values};

/// Name by which the family is looked up.
pub const FAMILY_NAME: &str = "eccp";
/// Version in the generic netlink header.
pub const FAMILY_VERSION: u8 = 1;
/// Multicast group of the notifications.
pub const EVENTS_GROUP: &str = "events";
/// Bytes in a service identifier.
pub const SERVICE_ID_LEN: usize = 32;

values! {
    /// The commands of the family, requests and notifications.
    pub enum Command(u8), enum "operations" {
        #[doc = "Read the versions, numbers and population of the namespace."]
        1 "info-get" InfoGet,
        #[doc = "Read one connection by its id, or all of the namespace."]
        2 "connection-get" ConnectionGet,
        #[doc = "Read one flow by its local ID, or all of the namespace."]
        3 "flow-get" FlowGet,
        #[doc = "Move the local end of a flow to another address of this host."]
        4 "flow-move" FlowMove,
        #[doc = "Read the settings of the namespace."]
        5 "settings-get" SettingsGet,
        #[doc = "Change settings of the namespace."]
        6 "settings-set" SettingsSet,
        #[doc = "Read the counters of the namespace."]
        7 "stats-get" StatsGet,
        #[doc = "A connection is established."]
        8 "connection-up" ConnectionUp,
        #[doc = "A flow is established."]
        9 "flow-up" FlowUp,
        #[doc = "A move has started."]
        10 "flow-moving" FlowMoving,
        #[doc = "A move is complete."]
        11 "flow-moved" FlowMoved,
        #[doc = "A move was given up."]
        12 "flow-move-failed" FlowMoveFailed,
        #[doc = "A flow is over."]
        13 "flow-closed" FlowClosed,
        #[doc = "A connection is over."]
        14 "connection-closed" ConnectionClosed,
        #[doc = "The local address of a flow is gone."]
        15 "address-gone" AddressGone,
        #[doc = "The path in use does not answer."]
        16 "path-trouble" PathTrouble,
        #[doc = "The path in use answers again."]
        17 "path-recovered" PathRecovered,
        #[doc = "Data takes this flow from now on."]
        18 "flow-active" FlowActive,
        #[doc = "Add a flow to the connection of another one."]
        19 "flow-add" FlowAdd,
        #[doc = "End one flow of a connection that has others."]
        20 "flow-remove" FlowRemove,
        #[doc = "Send the data of the connection along this flow from now on."]
        21 "flow-prefer" FlowPrefer,
        #[doc = "Add a rule for local addresses behind those that exist."]
        22 "rule-add" RuleAdd,
        #[doc = "Take a rule away."]
        23 "rule-delete" RuleDelete,
        #[doc = "Read all rules of the namespace in the order in which they are applied."]
        24 "rule-get" RuleGet,
        #[doc = "Send on the RSYNs of every flow for an address to another one."]
        25 "redirect-add" RedirectAdd,
        #[doc = "Take away the entries for an address."]
        26 "redirect-delete" RedirectDelete,
        #[doc = "Read all entries of the redirection cache."]
        27 "redirect-get" RedirectGet,
        #[doc = "RSYNs of a flow that has moved are sent on from now on."]
        28 "redirect-added" RedirectAdded,
        #[doc = "A flow has another local or remote ID."]
        29 "flow-renamed" FlowRenamed,
        #[doc = "RSYNs are not sent on by an entry any more."]
        30 "redirect-removed" RedirectRemoved,
        #[doc = "A move is not answered; the peer is asked to open its NAT."]
        31 "flow-punching" FlowPunching,
    }
}

values! {
    /// The states of a flow (paper Fig. 3).
    pub enum FlowState(u32), enum "flow-state" {
        #[doc = "The flow is over; it is kept to answer late packets."]
        1 "closed" Closed,
        #[doc = "Waits for the first SYN."]
        2 "listen" Listen,
        #[doc = "SYN sent, no answer yet."]
        3 "syn-sent" SynSent,
        #[doc = "SYN received and answered, the last ACK is awaited."]
        4 "syn-rcvd" SynRcvd,
        #[doc = "Both sides may send."]
        5 "established" Established,
        #[doc = "The local address is lost and there is no other yet."]
        6 "noaddress" NoAddress,
        #[doc = "This side moves; RSYN sent, not acknowledged yet."]
        7 "rsyn-sent" RsynSent,
        #[doc = "The peer moves; RSYN-ACK sent, the proof is awaited."]
        8 "rsyn-rcvd" RsynRcvd,
        #[doc = "Both sides move at once."]
        9 "rsyn-sent-rcvd" RsynSentRcvd,
        #[doc = "The peer moves and this side has no address."]
        10 "noaddress-rsyn-rcvd" NoAddressRsynRcvd,
    }
}

values! {
    /// Which side of the set-up a host is.
    pub enum Role(u32), enum "role" {
        #[doc = "This host sent the first SYN."]
        1 "client" Client,
        #[doc = "This host accepted the first SYN."]
        2 "server" Server,
    }
}

values! {
    /// What the flows of a connection carry.
    pub enum Carries(u32), enum "carries" {
        #[doc = "One stream of bytes each way, as SOCK_STREAM sockets send it."]
        1 "stream" Stream,
        #[doc = "Datagrams, as SOCK_DGRAM sockets send them."]
        2 "datagrams" Datagrams,
    }
}

values! {
    /// How packets travel on a path.
    pub enum Encap(u32), enum "encap" {
        #[doc = "Directly in IP, under ECCP's own protocol number."]
        1 "native" Native,
        #[doc = "In UDP, for paths with NAT or firewalls."]
        2 "udp" Udp,
        #[doc = "Native and UDP are both tried; what answers is used."]
        3 "auto" Auto,
    }
}

values! {
    /// Who decides when a flow moves.
    pub enum Policy(u32), enum "policy" {
        #[doc = "Flows move on command only."]
        1 "manual" Manual,
        #[doc = "A flow that loses its address moves to the best one left."]
        2 "failover" Failover,
        #[doc = "As failover, and a flow moves to a better address when one appears."]
        3 "prefer" Prefer,
    }
}

values! {
    /// Why a flow moved, failed to move or ended.
    pub enum Reason(u32), enum "reason" {
        #[doc = "A flow-move request over netlink."]
        1 "command" Command,
        #[doc = "A request of the owner of the socket."]
        2 "owner" Owner,
        #[doc = "The local address was removed or its link went down."]
        3 "address-lost" AddressLost,
        #[doc = "The policy prefers another address that appeared."]
        4 "better-address" BetterAddress,
        #[doc = "The peer did it."]
        5 "peer" Peer,
        #[doc = "No address of the peer answered in time."]
        6 "no-answer" NoAnswer,
        #[doc = "A newer move took its place."]
        7 "superseded" Superseded,
        #[doc = "Both sides finished sending."]
        8 "finished" Finished,
        #[doc = "This side reset the connection."]
        9 "reset" Reset,
        #[doc = "The peer reset the connection."]
        10 "peer-reset" PeerReset,
        #[doc = "The peer has no listener for the service, or no room."]
        11 "refused" Refused,
        #[doc = "No usable local address appeared in time."]
        12 "no-address" NoAddress,
        #[doc = "The peer speaks only other versions of the protocol."]
        13 "version-mismatch" VersionMismatch,
        #[doc = "The flow made 2^64 moves."]
        14 "versions-exhausted" VersionsExhausted,
        #[doc = "The network namespace was deleted."]
        15 "namespace" Namespace,
        #[doc = "The path in use did not answer, and another did."]
        16 "path-dead" PathDead,
        #[doc = "A preferred path that was dead has answered long enough."]
        17 "path-back" PathBack,
        #[doc = "The flow that carried data has no path any more."]
        18 "path-lost" PathLost,
        #[doc = "The policy prefers another flow for data."]
        19 "better-flow" BetterFlow,
        #[doc = "One side removed the flow; the connection goes on."]
        20 "removed" Removed,
        #[doc = "The peer proved that it knows the flow no more."]
        21 "peer-lost" PeerLost,
        #[doc = "A NAT has given the peer another address or port."]
        22 "nat" Nat,
        #[doc = "It has lasted as long as it may."]
        23 "expired" Expired,
        #[doc = "The host is at the address that it had left."]
        24 "returned" Returned,
    }
}

value_as_u32!(FlowState, Role, Carries, Encap, Policy, Reason);
