"""Jobs in Redis. Every key has a time to live, and what several processes may change at once is changed by scripts."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError
from redis.lock import Lock
from redis.retry import Retry

from plimsoll_server.jobs.errors import AwayError
from plimsoll_server.jobs.records import OPEN, Job, Slice, State, hash_of, read_job, read_slice
from plimsoll_server.renewed_file import FileError

QUEUE = "turns"
"""Of the messages, as Celery names it."""

_PATIENCE_SECONDS = 5.0
_WORKER_SEEN_SECONDS = 600
"""Longer than a new version of a worker takes to come, and its node before it."""
_MARGIN_SECONDS = 86_400
"""That a list of jobs outlives the one that was put into it last."""

_MOVE = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state or not string.find(ARGV[1], state, 1, true) then return false end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'error', ARGV[3], 'expires', ARGV[4])
return state
"""
_KEEP = """
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('EXPIREAT', KEYS[3], ARGV[5])
redis.call('HINCRBY', KEYS[1], 'done', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'failed', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'truncated_tokens', ARGV[8])
return 1
"""
_REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return 1
"""


class Store:
    """Of the jobs of one deployment. Each method raises AwayError where Redis does not answer."""

    def __init__(self, url: Callable[[], str], deployment: str) -> None:
        """`url` is asked before each first connection: what it says may change. One Redis may serve many a
        `deployment`, NAMESPACE/NAME."""
        self._url = url
        self._prefix = f"plimsoll:jobs:{deployment}:"
        self._client: Redis | None = None

    def sign_on(self) -> None:
        """There is a worker."""
        with self._redis() as redis:
            redis.set(self._key("worker"), 1, ex=_WORKER_SEEN_SECONDS)

    def has_worker(self) -> bool:
        """Whether one has been seen of late."""
        with self._redis() as redis:
            return bool(redis.exists(self._key("worker")))

    def add(self, job: Job, slices: Iterable[Slice], most: int) -> bool:
        """False where its owner has `most` jobs already, ended ones that are still kept among them."""
        theirs, record, inputs = self._key("of", job.owner), self._key("job", job.id), self._key("inputs", job.id)
        queued = self._key("state", State.QUEUED)
        with self._redis() as redis:
            counting = _batch(redis).zremrangebyscore(theirs, 0, time.time()).zcard(theirs)
            if counting.execute()[1] >= most:
                return False
            writing = _batch(redis)
            writing.hset(record, mapping=dict(hash_of(job)))
            writing.hset(inputs, mapping={str(one.offset): one.dumped() for one in slices})
            writing.expireat(record, job.expires).expireat(inputs, job.expires)
            for members in (theirs, queued):
                writing.zadd(members, {job.id: job.expires}).expireat(members, job.expires + _MARGIN_SECONDS)
            writing.execute()
        return True

    def find(self, id_: str) -> Job | None:
        with self._redis() as redis:
            [found] = _batch(redis).hgetall(self._key("job", id_)).execute()
        return read_job(id_, found) if found else None

    def move(self, job: Job, to: State, *, error: str = "") -> bool:
        """Whether `job`, which had not ended, is in that state now. Of one that ends, what is not needed goes."""
        ends = to not in OPEN
        expires = math.ceil(time.time()) + job.kept if ends else job.expires
        record, results = self._key("job", job.id), self._key("results", job.id)
        with self._redis() as redis:
            was = redis.eval(_MOVE, 1, record, " ".join(OPEN), to.value, error, expires)
            if not was:
                return False
            tidying = _batch(redis).zrem(self._key("state", was), job.id)
            now_in, theirs = self._key("state", to), self._key("of", job.owner)
            tidying.zadd(now_in, {job.id: expires}).expireat(now_in, expires + _MARGIN_SECONDS)
            if ends:
                tidying.zadd(theirs, {job.id: expires}).expireat(record, expires).expireat(results, expires)
                tidying.delete(self._key("inputs", job.id))
            if to is State.CANCELLED:
                tidying.delete(results)
            tidying.execute()
        return True

    def forget(self, job: Job) -> None:
        """All of it, at once."""
        with self._redis() as redis:
            forgetting = _batch(redis).delete(*(self._key(kind, job.id) for kind in ("job", "inputs", "results")))
            for members in (self._key("of", job.owner), *(self._key("state", state) for state in State)):
                forgetting.zrem(members, job.id)
            forgetting.execute()

    @contextmanager
    def leased(self, id_: str, seconds: float) -> Iterator[Lock | None]:
        """Keeps others from the same job, for `seconds` from each renewal. None where somebody else has it."""
        with self._redis() as redis:
            lease = redis.lock(self._key("lease", id_), timeout=seconds, blocking=False, thread_local=False)
            taken = lease.acquire()
        try:
            yield lease if taken else None
        finally:
            if taken:
                with self._redis():
                    if lease.owned():
                        lease.release()

    def renewed(self, lease: Lock) -> bool:
        """False where it was over before."""
        with self._redis():
            return lease.owned() and lease.reacquire()

    def next_slice(self, job: Job) -> Slice | None:
        """The first that has no answer."""
        inputs = self._key("inputs", job.id)
        with self._redis() as redis:
            [offsets] = _batch(redis).hkeys(inputs).execute()
            if not offsets:
                return None
            first = min(offsets, key=int)
            [dumped] = _batch(redis).hget(inputs, first).execute()
        return read_slice(first, dumped) if dumped else None

    def replace(self, job: Job, slice_: Slice, by: Iterable[Slice]) -> None:
        """By others of the same inputs, the first with the same offset; if it is still as it was."""
        pairs = [part for one in by for part in (str(one.offset), one.dumped())]
        with self._redis() as redis:
            redis.eval(_REPLACE, 1, self._key("inputs", job.id), str(slice_.offset), slice_.dumped(), *pairs)

    def keep(self, job: Job, slice_: Slice, answers: Sequence[Any], *, failed: int, truncated_tokens: int) -> bool:
        """One answer per input of the slice. False where it is not as it was, or nobody wants them any more: somebody
        else was faster, or the job has ended."""
        keys = [self._key(kind, job.id) for kind in ("job", "inputs", "results")]
        name = f"{slice_.offset}:{len(answers)}"
        content = json.dumps(answers, ensure_ascii=False, separators=(",", ":"))
        was, told = (str(slice_.offset), slice_.dumped()), (len(answers), failed, truncated_tokens)
        with self._redis() as redis:
            return bool(redis.eval(_KEEP, 3, *keys, *was, name, content, job.expires, *told))

    def kept(self, job: Job) -> list[tuple[int, int]]:
        """(offset, count) of what has answers, in the order of the inputs."""
        with self._redis() as redis:
            [names] = _batch(redis).hkeys(self._key("results", job.id)).execute()
        return sorted((int(offset), int(count)) for offset, _, count in (name.partition(":") for name in names))

    def answers(self, job: Job, offset: int, count: int) -> str | None:
        """As JSON, a list. None once the job has expired."""
        with self._redis() as redis:
            [content] = _batch(redis).hget(self._key("results", job.id), f"{offset}:{count}").execute()
        return str(content) if content else None

    def forsaken(self) -> list[str]:
        """Jobs that have not ended and that no message tells of, where there are no messages at all: what Redis handed
        to a worker in the moment that it was lost is in nobody's hands."""
        now = time.time()
        with self._redis() as redis:
            looking = _batch(redis).llen(self._key(QUEUE)).hlen(self._key("unacked"))
            for state in OPEN:
                looking.zrangebyscore(self._key("state", state), now, "+inf")
            waiting, taken, queued, running = looking.execute()
        return [] if waiting or taken else [*queued, *running]

    def counts(self) -> dict[str, int]:
        """Jobs by state, those that have not expired."""
        now = time.time()
        with self._redis() as redis:
            counting = _batch(redis)
            for state in State:
                members = self._key("state", state)
                counting.zremrangebyscore(members, 0, now).zcard(members)
            found = counting.execute()[1::2]
        return dict(zip((state.value for state in State), found, strict=True))

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _key(self, *parts: str) -> str:
        return self._prefix + ":".join(parts)

    @contextmanager
    def _redis(self) -> Iterator[Redis]:
        try:
            yield self._dialled()
        except (RedisError, OSError) as error:
            self.close()
            raise AwayError(type(error).__name__) from None

    def _dialled(self) -> Redis:
        if self._client is None:
            try:
                self._client = _client(self._url())
            except FileError as error:
                raise AwayError(str(error)) from None
        return self._client


def _client(url: str) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
        # A kept connection may have ended with the Redis it led to: once anew, and at once.
        retry=Retry(NoBackoff(), 1, (LostConnectionError,)),
    )


def _batch(redis: Redis) -> Any:
    """Commands that are carried out together. They are typed as if each were asked alone; here each hands on all."""
    return redis.pipeline()
