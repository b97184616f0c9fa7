"""The errors of the engine.

Each message is one sentence that holds the values and, where there is one, the next step.

EngineError
├── UnknownTaskError     no task or run has this id
├── UnknownScheduleError no schedule has this name
├── TaskStateError       the task is in a state that does not allow this
├── DedupKeyTakenError   a retry's dedup key is held by an unfinished task
├── InvalidTaskError     a NewTask cannot be stored as given
├── QueueFullError       a queue holds as many queued tasks as it may
├── StaleClaimError      the attempt is no longer the task's current one
├── EpochOverError       another leader, or a restored database, ended this leader's epoch
├── StorageError         the disk or another process keeps the database from being used for now
└── DatabaseError        the database cannot be opened, or is damaged
"""


class EngineError(Exception):
    """Base of all errors of the engine."""


class UnknownTaskError(EngineError):
    """No task or run has this id."""


class UnknownScheduleError(EngineError):
    """No schedule has this name."""


class TaskStateError(EngineError):
    """The task is in a state that does not allow what was asked."""


class DedupKeyTakenError(EngineError):
    """An unfinished task holds the dedup key that a retry needs."""


class InvalidTaskError(EngineError):
    """A new task cannot be stored as given."""


class QueueFullError(EngineError):
    """A queue holds as many queued tasks as it may; nothing of the request was stored."""


class StaleClaimError(EngineError):
    """The attempt was ended elsewhere (cancelled, interrupted, rescued); it may store nothing more."""


class EpochOverError(EngineError):
    """The epoch of this leader is over, although it holds the lock: the database is another one than it was."""


class StorageError(EngineError):
    """The disk or another process keeps the database from being used for now; it may recover."""


class DatabaseError(EngineError):
    """The database cannot be opened, or is damaged."""
