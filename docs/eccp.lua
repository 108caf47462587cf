-- SPDX-License-Identifier: GPL-2.0-only
-- Wireshark dissector of ECCP, version 1 (docs/wire.md).
-- wireshark -X lua_script:docs/eccp.lua

local IP_PROTOCOL = 253
local UDP_PORT = 4433
local VERSION = 1
local COMMON_LEN = 12
local CONTROL_LEN = 28

local TYPES = {
  [0] = "DATA", [1] = "SYN", [2] = "SYN-ACK", [3] = "ACK", [4] = "NACK",
  [5] = "RSYN", [6] = "RSYN-ACK", [7] = "RST", [8] = "PING", [9] = "PONG",
  [10] = "HOLE-PUNCH", [11] = "HOLE-PUNCH-ACK", [12] = "VERSION", [13] = "RESET",
  [14] = "REDIRECT",
}

local OPTIONS = {
  [0x81] = "Service", [0x82] = "Key", [0x03] = "IList", [0x84] = "Transport parameters",
  [0x85] = "Token", [0x86] = "Preferred address", [0x87] = "New flow ID",
  [0x88] = "Existing flow ID", [0x09] = "Reason", [0x0a] = "Versions", [0x0b] = "Record",
  [0x0c] = "Echo",
  [0x0d] = "Flow flags", [0x14] = "Observed address", [0x16] = "Probe",
  [0x11] = "Reset proof", [0x12] = "Redirection",
  [0x90] = "Cookie", [0x93] = "Join",
  [0x8f] = "MAC",
}

local REASONS = {
  [1] = "no service", [2] = "busy", [3] = "aborted", [4] = "timed out",
  [5] = "prohibited", [6] = "closed", [7] = "removed",
}

local STEPS = { [1] = "ASK", [2] = "TICKET", [3] = "TELL", [4] = "TOLD" }

local eccp = Proto("eccp", "Endpoint Connection Control Protocol")
local f = {
  receiver = ProtoField.uint64("eccp.receiver", "Receiver's flow ID", base.HEX),
  join_bundle = ProtoField.uint64("eccp.join.bundle", "Bundle", base.HEX),
  join_proof = ProtoField.bytes("eccp.join.proof", "Proof"),
  probe_trouble = ProtoField.bool("eccp.probe.trouble", "In trouble on the path in use", 8, nil, 1),
  probe_other = ProtoField.bool("eccp.probe.other", "Along another path", 8, nil, 2),
  probe_number = ProtoField.uint32("eccp.probe.number", "Number"),
  protocol_version = ProtoField.uint8("eccp.protocol_version", "Version of ECCP", base.DEC, nil, 0xf0),
  type = ProtoField.uint8("eccp.type", "Type", base.DEC, TYPES, 0x0f),
  header_length = ProtoField.uint8("eccp.header_length", "Header length in words", base.DEC),
  inner = ProtoField.uint8("eccp.inner", "Inner protocol", base.DEC),
  flags = ProtoField.uint8("eccp.flags", "Flags", base.HEX),
  sender = ProtoField.uint64("eccp.sender", "Sender's flow ID", base.HEX),
  version = ProtoField.uint64("eccp.version", "Flow version", base.DEC),
  option = ProtoField.uint8("eccp.option", "Option", base.HEX, OPTIONS),
  option_length = ProtoField.uint8("eccp.option.length", "Value length", base.DEC),
  option_value = ProtoField.bytes("eccp.option.value", "Value"),
  service_port = ProtoField.uint16("eccp.service.port", "Service port", base.DEC),
  service_id = ProtoField.bytes("eccp.service.id", "Service identifier"),
  ilist_version = ProtoField.uint64("eccp.ilist.version", "Connection version", base.DEC),
  address_ipv4 = ProtoField.ipv4("eccp.address.ipv4", "Address"),
  address_ipv6 = ProtoField.ipv6("eccp.address.ipv6", "Address"),
  address_port = ProtoField.uint16("eccp.address.port", "UDP port", base.DEC),
  backup = ProtoField.bool("eccp.address.backup", "Backup", 8, nil, 0x01),
  metered = ProtoField.bool("eccp.address.metered", "Metered", 8, nil, 0x02),
  priority = ProtoField.uint8("eccp.address.priority", "Priority", base.DEC),
  flow_id = ProtoField.uint64("eccp.flow_id", "Flow ID", base.HEX),
  reason = ProtoField.uint8("eccp.reason", "Reason", base.DEC, REASONS),
  redirect_step = ProtoField.uint8("eccp.redirect.step", "Step", base.DEC, STEPS),
  redirect_slot = ProtoField.uint8("eccp.redirect.slot", "Number of the ticket", base.DEC),
  redirect_seconds = ProtoField.uint16("eccp.redirect.seconds", "Seconds", base.DEC),
  redirect_router = ProtoField.uint64("eccp.redirect.router", "Router", base.HEX),
  redirect_ticket = ProtoField.bytes("eccp.redirect.ticket", "Ticket"),
  known_version = ProtoField.uint8("eccp.known_version", "Known version", base.DEC),
}
for _, field in pairs(f) do table.insert(eccp.fields, field) end

local malformed = ProtoExpert.new("eccp.malformed", "Malformed ECCP packet",
  expert.group.MALFORMED, expert.severity.ERROR)
local unknown_version = ProtoExpert.new("eccp.unknown_version", "Version of ECCP not known here",
  expert.group.UNDECODED, expert.severity.WARN)
eccp.experts = { malformed, unknown_version }

-- Adds an address of `family` at the front of `range`; returns how many bytes it took, or nil.
local function add_address(tree, family, range)
  local length = family == 4 and 4 or family == 6 and 16
  if not length or range:len() < length then return nil end
  tree:add(family == 4 and f.address_ipv4 or f.address_ipv6, range(0, length))
  return length
end

local function add_ilist(tree, value)
  if value:len() < 8 then return false end
  tree:add(f.ilist_version, value(0, 8))
  local at = 8
  while at < value:len() do
    if value:len() - at < 10 then return false end
    local family = value(at, 1):uint()
    local entry = tree:add(eccp, value(at), "Address")
    entry:add(f.backup, value(at + 1, 1))
    entry:add(f.metered, value(at + 1, 1))
    entry:add(f.priority, value(at + 2, 1))
    entry:add(f.address_port, value(at + 4, 2))
    local length = add_address(entry, family, value(at + 6))
    if not length then return false end
    entry:set_len(6 + length)
    at = at + 6 + length
  end
  return true
end

local function add_remote(tree, value)
  if value:len() < 8 then return false end
  tree:add(f.address_port, value(2, 2))
  return add_address(tree, value(0, 1):uint(), value(4)) == value:len() - 4
end

local VALUES = {
  [0x81] = function(tree, value)
    if value:len() == 2 then tree:add(f.service_port, value) return true end
    tree:add(f.service_id, value)
    return value:len() == 32
  end,
  [0x03] = add_ilist,
  [0x86] = add_remote,
  [0x0b] = add_remote,
  [0x14] = add_remote,
  [0x87] = function(tree, value) tree:add(f.flow_id, value) return value:len() == 8 end,
  [0x88] = function(tree, value) tree:add(f.flow_id, value) return value:len() == 8 end,
  [0x09] = function(tree, value) tree:add(f.reason, value) return value:len() == 1 end,
  [0x0a] = function(tree, value)
    for at = 0, value:len() - 1 do tree:add(f.known_version, value(at, 1)) end
    return true
  end,
  [0x12] = function(tree, value)
    if value:len() ~= 28 then return false end
    tree:add(f.redirect_step, value(0, 1))
    tree:add(f.redirect_slot, value(1, 1))
    tree:add(f.redirect_seconds, value(2, 2))
    tree:add(f.redirect_router, value(4, 8))
    tree:add(f.redirect_ticket, value(12, 16))
    return true
  end,
  [0x93] = function(tree, value)
    if value:len() ~= 24 then return false end
    tree:add(f.join_bundle, value(0, 8))
    tree:add(f.join_proof, value(8, 16))
    return true
  end,
  [0x16] = function(tree, value)
    if value:len() ~= 6 then return false end
    tree:add(f.probe_trouble, value(0, 1))
    tree:add(f.probe_other, value(0, 1))
    tree:add(f.probe_number, value(2, 4))
    return true
  end,
}

local function add_option_value(tree, kind, value)
  local add = VALUES[kind]
  if add then return add(tree, value) end
  tree:add(f.option_value, value)
  return true
end

-- Adds the options in `range`; returns false if they are not well formed.
local function add_options(tree, range)
  local at = 0
  while at < range:len() do
    if range:len() - at < 4 then return false end
    local kind = range(at, 1):uint()
    local length = range(at + 1, 1):uint()
    local whole = math.floor((length + 5) / 4) * 4
    if at + whole > range:len() then return false end
    local name = OPTIONS[kind] or string.format("Unknown option 0x%02x", kind)
    local option = tree:add(eccp, range(at, whole), name)
    option:add(f.option, range(at, 1))
    option:add(f.option_length, range(at + 1, 1))
    if length > 0 and not add_option_value(option, kind, range(at + 2, length)) then
      return false
    end
    at = at + whole
  end
  return true
end

local function add_control(tree, buffer, length, info)
  tree:add(f.sender, buffer(12, 8))
  tree:add(f.version, buffer(20, 8))
  info = string.format("%s v=%s", info, tostring(buffer(20, 8):uint64()))
  local ok = length == buffer:len()
  if length > CONTROL_LEN then
    ok = add_options(tree, buffer(CONTROL_LEN, length - CONTROL_LEN):tvb():range()) and ok
  end
  if not ok then tree:add_proto_expert_info(malformed) end
  return info
end

function eccp.dissector(buffer, pinfo, root)
  if buffer:len() < COMMON_LEN then return 0 end
  pinfo.cols.protocol = "ECCP"
  local version = buffer(8, 1):bitfield(0, 4)
  local kind = buffer(8, 1):bitfield(4, 4)
  local length = buffer(9, 1):uint() * 4
  local name = TYPES[kind] or string.format("type %d", kind)
  local info = string.format("%s to %s", name, buffer(0, 8):bytes():tohex(true))
  local tree = root:add(eccp, buffer(), "ECCP " .. name)
  tree:add(f.receiver, buffer(0, 8))
  tree:add(f.protocol_version, buffer(8, 1))
  tree:add(f.type, buffer(8, 1))
  if version ~= VERSION then
    tree:add_proto_expert_info(unknown_version)
    pinfo.cols.info = string.format("%s, unknown version %d", info, version)
    return buffer:len()
  end
  tree:add(f.header_length, buffer(9, 1))
  tree:add(f.inner, buffer(10, 1))
  tree:add(f.flags, buffer(11, 1))
  local least = kind == 0 and COMMON_LEN or CONTROL_LEN
  if length < least or length > buffer:len() then
    tree:add_proto_expert_info(malformed)
    pinfo.cols.info = info .. ", malformed"
    return buffer:len()
  end
  if kind ~= 0 then
    pinfo.cols.info = add_control(tree, buffer, length, info)
    return buffer:len()
  end
  pinfo.cols.info = info
  tree:set_len(COMMON_LEN)
  local inner = DissectorTable.get("ip.proto"):get_dissector(buffer(10, 1):uint())
  if inner and buffer:len() > COMMON_LEN then
    inner:call(buffer(COMMON_LEN):tvb(), pinfo, root)
  end
  return buffer:len()
end

DissectorTable.get("ip.proto"):add(IP_PROTOCOL, eccp)
DissectorTable.get("udp.port"):add(UDP_PORT, eccp)
