// The scripts that run inside Redis: the control part of the promise, each step atomic. Values
// reach them as KEYS and ARGV only. Each is safe when repeated, late or reordered.
import {
  BUMPED, FIELDS, INTENTS, LISTS, PRELUDE, ROSTERS, type Script, script, TOUCHES,
} from './redis-lua.ts';

/**
 * What each does after the prelude. ARGV[4] and what follows is its own; what it adds to its answer
 * is said with it.
 */
const STEPS = {
  /**
   * [4]: its rules, [5]: the id it had before, or nothing, [6]: how, [7]: by what. `ask` enters
   * where everybody left, `enter` if the epoch is still [7], `new-epoch` begins one if the roster
   * is still [7]. Adds the roster. Whoever is answered, in or out, has seen the store take
   * something.
   */
  join: `
local rules, former, how, by = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
redis.call('HSET', control, 'asked', me)
local function isMember() return redis.call('HEXISTS', control, 'm:' .. me) == 1 end
if not isMember() then
  if how == 'new-epoch' and by == roster() then
    begin('all-silent')
  elseif (members == '' and not get('missing')) or (how == 'enter' and by == epoch) then
    distrust(rules)
    if members == '' then
      young = fresh
      redis.call('HSET', control, 'young', young)
    end
    members = with(members, me)
    redis.call('HSET', control, 'members', members, 'm:' .. me, 1)
  end
end
if isMember() then
  if former ~= '' then
    forget(former)
    save('missing', without(get('missing'), former))
  end
  leases = math.max(leases, lease)
  redis.call('HSET', control, 'rules', rules, 'lease', leases)
end
return reply(roster())
`,
  /**
   * [4]: a nonce, [5]: its rules if the store doesn't know them yet, or nothing. Adds how many
   * replicas there are, the first of the members, its beat, the caller's own writes (id, owner, and
   * so on), and the rules.
   */
  renew: `
if redis.call('HEXISTS', control, 'm:' .. me) == 1 then
  redis.call('HINCRBY', control, 'm:' .. me, 1)
  if ARGV[5] ~= '' then redis.call('HSET', control, 'rules', ARGV[5]) end
  send(':m:' .. me, table.concat({ 'R', ARGV[4], epoch, seq }, ' '))
end
local steward = string.match(members, '%S+') or ''
return reply(tonumber(string.match(info, 'connected_slaves:(%d+)')) or 0,
  steward, get('m:' .. steward) or '', writesOf(me, {}), get('rules') or '')
`,
  /** [4]: by which name it is not young any more. */
  settle: `
if young == ARGV[4] then
  redis.call('HDEL', control, 'young')
  young = nil
end
return reply()
`,
  /** [4]: its rules. Leaves cleanly. Its writes stay, for whoever looks after them. */
  leave: `
distrust(ARGV[4])
forget(me)
return reply()
`,
  /**
   * [4]: a cursor. Adds the floor, the next cursor, tags with their touches, held writes (id, 1 for
   * everything, tags as JSON, and so on), and why the epoch was begun.
   */
  load: `
local page = redis.call('HSCAN', control, ARGV[4], 'COUNT', 500)
local touched, held = {}, {}
for i = 1, #page[2], 2 do
  local field, value = page[2][i], page[2][i + 1]
  local kind = string.sub(field, 1, 2)
  if kind == 't:' then
    touched[#touched + 1] = string.sub(field, 3)
    touched[#touched + 1] = value
  elseif kind == 'i:' then
    local intent = cjson.decode(value)
    if intent.state ~= 'open' then
      held[#held + 1] = string.sub(field, 3)
      held[#held + 1] = intent.everything and 1 or 0
      held[#held + 1] = #intent.tags == 0 and '[]' or cjson.encode(intent.tags)
    end
  end
end
return reply(floor, page[1], touched, held, get('begun') or '')
`,
  /** [4]: id, [5…]: tags. A write that is there already only changes its owner. */
  intend: `
local intent = intentOf(ARGV[4]) or { state = 'open', tags = args(5) }
release(ARGV[4])
intent.owner = me
keep(ARGV[4], intent)
return reply()
`,
  /** [4]: id. Who was told of a hold is told of its end. */
  abandon: `
local intent = release(ARGV[4])
if intent and intent.state ~= 'open' then touch('-', ARGV[4], 'done', 0, false, {}) end
return reply()
`,
  /**
   * [4]: id or nothing, [5]: then, [6]: for how long in ms, or nothing, [7]: how many of the tags
   * are to be fetched again, [8]: '1' for everything, [9…]: tags. Adds the number of t: fields,
   * and the roster.
   */
  touch: `
local id, everything, tags = ARGV[4], ARGV[8] == '1', args(9)
local count = touch(me, id, ARGV[5], ARGV[7], everything, tags)
if id ~= '' then
  if ARGV[5] == 'done' then release(id)
  else
    keep(id, { owner = me, state = ARGV[5], holdMs = tonumber(ARGV[6]),
      everything = everything, tags = tags })
  end
end
return reply(count, roster())
`,
  /** Adds the roster, and all writes: id, owner, and so on. */
  roster: `
local list = {}
for owner in string.gmatch(get('owners') or '', '%S+') do writesOf(owner, list) end
return reply(roster(), list)
`,
  /**
   * [4]: a write, [5]: its owner, [6]: that one's beat, or nothing, when last seen. Takes it over
   * and touches its tags, unless something moved. Adds its JSON where it was taken.
   */
  take: `
local intent = intentOf(ARGV[4])
if not intent or intent.owner ~= ARGV[5] then return reply() end
if ARGV[5] ~= me and (get('m:' .. ARGV[5]) or '') ~= ARGV[6] then return reply() end
release(ARGV[4])
intent.owner, intent.state = me, 'unknown'
keep(ARGV[4], intent)
touch('-', ARGV[4], 'unknown', 0, intent.everything, intent.tags)
return reply(cjson.encode(intent))
`,
  /** [4]: a write. Touches its tags and ends it if it is the caller's. */
  release: `
local intent = intentOf(ARGV[4])
if intent and intent.owner == me then
  release(ARGV[4])
  touch('-', ARGV[4], 'done', #intent.tags, intent.everything, intent.tags)
end
return reply()
`,
  /** [4]: a member, [5]: its beat when last seen. */
  expel: `
if ARGV[4] ~= me and get('m:' .. ARGV[4]) == ARGV[5] then
  forget(ARGV[4])
  -- So many that they are not told apart any more.
  local missing = get('missing') or ''
  save('missing', with(missing, #missing < 4000 and ARGV[4] or '*'))
end
return reply()
`,
  /**
   * [4]: how many touches may be remembered. Where there are more, raises the floor to the median
   * of a sample.
   */
  raise: `
local count = tonumber(get('count') or nil) or 0
if count > tonumber(ARGV[4]) then
  local sample = redis.call('HRANDFIELD', control, 400, 'WITHVALUES')
  local touches = {}
  for i = 1, #sample, 2 do
    if string.sub(sample[i], 1, 2) == 't:' then touches[#touches + 1] = tonumber(sample[i + 1]) end
  end
  table.sort(touches)
  local median = touches[math.max(1, math.floor(#touches / 2))]
  if median and median > floor then redis.call('HSET', control, 'floor', median) end
end
return reply()
`,
  /** [4]: a cursor. Of the next few fields removes touches no newer than the floor. */
  drop: `
local page = redis.call('HSCAN', control, ARGV[4], 'MATCH', 't:*', 'COUNT', 500)
local fields, dropped = page[2], 0
for i = 1, #fields, 2 do
  if tonumber(fields[i + 1]) <= floor then
    dropped = dropped + redis.call('HDEL', control, fields[i])
  end
end
-- Never of nothing: a negative zero is no integer to the server.
if dropped > 0 then redis.call('HINCRBY', control, 'count', -dropped) end
return reply(page[1])
`,
} as const;

export type ControlScripts = Readonly<Record<keyof typeof STEPS | 'bump', Script>>;

/** `publish`: the command by which they publish. */
export function controlScripts(publish: 'publish' | 'spublish'): ControlScripts {
  const parts = [PRELUDE, LISTS, FIELDS, TOUCHES(publish), INTENTS, ROSTERS];
  const made = Object.entries(STEPS).map(([name, lua]) => [name, script(name, ...parts, lua)]);
  return {
    ...Object.fromEntries(made) as Record<keyof typeof STEPS, Script>,
    bump: script('bump', BUMPED),
  };
}

/** KEYS[1]: an entry. ARGV: bytes, life in ms, epoch, asOf. An older one never replaces. */
export const PUT = script('put', `
local line = redis.call('GETRANGE', KEYS[1], 0, 159)
local epoch, asOf = string.match(line, '^EVF1 (%S+) (%d+) ')
if epoch == ARGV[3] and tonumber(asOf) > tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** KEYS[1]: a reader. ARGV: what is noted, for how long in ms. */
export const NOTE = script('note', `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** KEYS[1]: a reader. */
export const FORGET = script('forget', `
return redis.call('DEL', KEYS[1])
`);

/**
 * KEYS[1]: a turn, as a hash of owner, epoch, asOf, waiters (ids between spaces), and done where
 * something was kept. ARGV: the caller, its epoch, its asOf, the newest touch that must be known,
 * for how long in ms, '1' where what was kept is not enough. `theirs`: its owner tells the caller
 * of its end.
 */
export const TAKE_TURN = script('take-turn', LISTS, `
local me, epoch, asOf, newest, ms, anew = unpack(ARGV)
local turn = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'asOf', 'waiters', 'done')
if turn[2] == epoch and tonumber(turn[3]) >= tonumber(newest) then
  if turn[5] then
    if anew ~= '1' then return 'done' end
  elseif turn[1] ~= me then
    redis.call('HSET', KEYS[1], 'waiters', with(turn[4], me))
    return 'theirs'
  end
end
if turn[5] then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'owner', me, 'epoch', epoch, 'asOf', asOf)
redis.call('PEXPIRE', KEYS[1], ms)
return 'mine'
`);

/** KEYS[1]: a turn. ARGV: the caller, for how long in ms. */
export const EXTEND_TURN = script('extend-turn', `
local turn = redis.call('HMGET', KEYS[1], 'owner', 'done')
if turn[1] == ARGV[1] and not turn[2] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`);

/**
 * KEYS[1]: a turn. ARGV: the caller, '1' where something was kept, for how long that is known in
 * ms. Who waits for it; nobody where it isn't the caller's.
 */
export const END_TURN = script('end-turn', `
local turn = redis.call('HMGET', KEYS[1], 'owner', 'waiters', 'done')
if turn[1] ~= ARGV[1] or turn[3] then return '' end
if ARGV[2] == '1' then
  redis.call('HDEL', KEYS[1], 'waiters')
  redis.call('HSET', KEYS[1], 'done', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return turn[2] or ''
`);
