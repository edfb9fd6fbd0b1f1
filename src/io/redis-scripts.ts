// The scripts that run inside Redis: the control part of the promise, each step atomic. Values
// reach them as KEYS and ARGV only. Each is safe when repeated, late or reordered.
import { INTENTS, LISTS, PRELUDE, ROSTER, RULES, script } from './redis-lua.ts';

/** ARGV[3…]: tags. Adds the newest touch of any of them, and whether one is held. */
export const LOOK = script('look', PRELUDE, `
local newest, holds = floor, held and 1 or 0
for first = 3, #ARGV, 500 do
  local fields = {}
  for i = first, math.min(first + 499, #ARGV) do
    fields[#fields + 1] = 't:' .. ARGV[i]
    fields[#fields + 1] = 'q:' .. ARGV[i]
  end
  local values = redis.call('HMGET', control, unpack(fields))
  for i = 1, #fields, 2 do
    if values[i] then newest = math.max(newest, tonumber(values[i])) end
    if values[i + 1] then holds = 1 end
  end
end
return reply(newest, holds)
`);

/** ARGV[3]: id, ARGV[4…]: tags. An intent that is there already only changes its owner. */
export const INTEND = script('intend', PRELUDE, LISTS, INTENTS, `
local raw = get('i:' .. ARGV[3])
if raw then
  local intent = cjson.decode(raw)
  intent.owner = me
  redis.call('HSET', control, 'i:' .. ARGV[3], cjson.encode(intent))
else
  keep(ARGV[3], { owner = me, state = 'open', tags = args(4) })
end
return reply()
`);

/** ARGV[3]: id. */
export const ABANDON = script('abandon', PRELUDE, LISTS, INTENTS, `
release(ARGV[3])
return reply()
`);

/**
 * ARGV[3]: id or nothing, [4]: then, [5]: for how long in ms, or nothing, [6]: '1' for everything,
 * [7…]: tags. Adds the number of t: fields.
 */
export const TOUCH = script('touch', PRELUDE, LISTS, INTENTS, `
local everything, tags = ARGV[6] == '1', args(7)
local count = touch(everything, tags)
if ARGV[3] ~= '' then
  if ARGV[4] == 'done' then release(ARGV[3])
  else
    keep(ARGV[3], { owner = me, state = ARGV[4], holdMs = tonumber(ARGV[5]),
      everything = everything, tags = tags })
  end
end
return reply(count)
`);

/** All that TOUCH is told after the intent's id. */
export function touching({ tags, then, holdMs }: {
  readonly tags: readonly string[] | 'everything';
  readonly then: string;
  readonly holdMs: number | undefined;
}): readonly string[] {
  const reached = tags === 'everything' ? ['1'] : ['0', ...tags];
  return [then, holdMs === undefined ? '' : String(holdMs), ...reached];
}

/**
 * ARGV[3]: its rules, [4]: how. `ask` enters where everybody left, `enter` if the epoch is still
 * ARGV[5], `new-epoch` begins one if the roster is still ARGV[5]. Adds the roster.
 */
export const JOIN = script('join', PRELUDE, LISTS, RULES, ROSTER, `
if redis.call('HEXISTS', control, 'm:' .. me) == 0 then
  if ARGV[4] == 'new-epoch' and ARGV[5] == roster() then
    begin()
  elseif members == '' or (ARGV[4] == 'enter' and ARGV[5] == epoch) then
    distrust(ARGV[3])
    members = with(members, me)
    redis.call('HSET', control, 'members', members, 'm:' .. me, 1)
  end
end
if redis.call('HEXISTS', control, 'm:' .. me) == 1 then
  redis.call('HSET', control, 'rules', ARGV[3])
end
return reply(roster())
`);

/**
 * ARGV[3]: its rules if the store doesn't know them yet, or nothing. Adds the roster, and the
 * intents as a list: id, owner, id, owner, and so on. What is in them may be large.
 */
export const BEAT = script('beat', PRELUDE, LISTS, ROSTER, `
if redis.call('HEXISTS', control, 'm:' .. me) == 1 then
  redis.call('HINCRBY', control, 'm:' .. me, 1)
  if ARGV[3] ~= '' then redis.call('HSET', control, 'rules', ARGV[3]) end
end
local list = {}
for id in string.gmatch(get('intents') or '', '%S+') do
  list[#list + 1] = id
  -- Without parsing it all: inside a tag the quotes would have backslashes before them.
  list[#list + 1] = string.match(get('i:' .. id) or '', '"owner":"([^"]*)"') or ''
end
return reply(roster(), list)
`);

/** ARGV[3]: its rules. Leaves cleanly. Its intents stay, for whoever sweeps. */
export const LEAVE = script('leave', PRELUDE, LISTS, RULES, `
distrust(ARGV[3])
redis.call('HSET', control, 'members', without(members, me))
redis.call('HDEL', control, 'm:' .. me)
return reply()
`);

/**
 * ARGV[3]: an intent, [4]: its owner, [5]: that one's beat, or nothing, when last seen. Takes the
 * intent over and touches its tags, unless something moved. Adds its JSON where it was taken.
 */
export const TAKE = script('take', PRELUDE, LISTS, INTENTS, `
local raw = get('i:' .. ARGV[3])
if not raw then return reply() end
local intent = cjson.decode(raw)
if intent.owner ~= ARGV[4] then return reply() end
if ARGV[4] ~= me and (get('m:' .. ARGV[4]) or '') ~= ARGV[5] then return reply() end
touch(intent.everything, intent.tags)
keep(ARGV[3], { owner = me, state = 'unknown', holdMs = intent.holdMs,
  everything = intent.everything, tags = intent.tags })
return reply(raw)
`);

/** ARGV[3]: an intent. Touches its tags and ends it if it is the caller's. Adds 1 where it did. */
export const RELEASE = script('release', PRELUDE, LISTS, INTENTS, `
local raw = get('i:' .. ARGV[3])
if not raw then return reply(0) end
local intent = cjson.decode(raw)
if intent.owner ~= me then return reply(0) end
touch(intent.everything, intent.tags)
release(ARGV[3])
return reply(1)
`);

/** ARGV[3]: a member that is gone and owns nothing any more, [4]: its beat when last seen. */
export const FORGET = script('forget', PRELUDE, LISTS, `
if ARGV[3] ~= me and get('m:' .. ARGV[3]) == ARGV[4] then
  redis.call('HSET', control, 'members', without(members, ARGV[3]))
  redis.call('HDEL', control, 'm:' .. ARGV[3])
end
return reply()
`);

/**
 * ARGV[3]: how many touches may be remembered. Where there are more, raises the floor to the median
 * of a sample. Adds how many there are.
 */
export const RAISE = script('raise', PRELUDE, `
local count = tonumber(redis.call('HGET', control, 'count') or '0') or 0
if count > tonumber(ARGV[3]) then
  local sample = redis.call('HRANDFIELD', control, 400, 'WITHVALUES')
  local touches = {}
  for i = 1, #sample, 2 do
    if string.sub(sample[i], 1, 2) == 't:' then touches[#touches + 1] = tonumber(sample[i + 1]) end
  end
  table.sort(touches)
  local median = touches[math.max(1, math.floor(#touches / 2))]
  if median and median > floor then redis.call('HSET', control, 'floor', median) end
end
return reply(count)
`);

/** ARGV[3]: a cursor. Removes, of the next few fields, touches no newer than the floor. */
export const DROP = script('drop', PRELUDE, `
local page = redis.call('HSCAN', control, ARGV[3], 'MATCH', 't:*', 'COUNT', 500)
local fields, dropped = page[2], 0
for i = 1, #fields, 2 do
  if tonumber(fields[i + 1]) <= floor then
    dropped = dropped + redis.call('HDEL', control, fields[i])
  end
end
-- Never of nothing: a negative zero is no integer to the server.
if dropped > 0 then redis.call('HINCRBY', control, 'count', -dropped) end
return reply(page[1])
`);

/** KEYS[1]: an entry. ARGV: bytes, life in ms, epoch, asOf. An older one never replaces. */
export const PUT = script('put', `
local line = redis.call('GETRANGE', KEYS[1], 0, 159)
local epoch, asOf = string.match(line, '^EVF1 (%S+) (%d+) ')
if epoch == ARGV[3] and tonumber(asOf) > tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);
