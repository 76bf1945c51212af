"""The faults that a simulation can inject, under the names of the fault catalogue.

Of the catalogue's other rows a simulation can say nothing: a restored backup loses what was acknowledged, and crowds
of connections, slow readers and malformed bodies never get past real sockets.
"""

from enum import StrEnum


class Fault(StrEnum):
    KILL = "SIGKILL orchestrator, idle or mid-transaction"
    KILL_BEFORE_REPLY = "SIGKILL between COMMIT and HTTP reply"
    STOP = "SIGSTOP orchestrator beyond lease, SIGCONT"
    DEPOSED = "epoch raised by a peer, while its replica lives"
    TERM = "SIGTERM"
    WORKER_BEFORE_ACCEPT = "worker killed before accept"
    WORKER_AFTER_ACCEPT = "worker killed after accept"
    WORKER_MID_PROCESS = "worker killed mid-process"
    WORKER_BEFORE_ACK = "worker killed after sending result, before ack"
    LATE = "result arrives late"
    POISON = "poison stage kills workers"
    FLEET = "whole fleet restarts"
    DATABASE_KILL = "kill -9 postmaster"
    DATABASE_RESTART = "restart / immediate / pg_terminate_backend"
    RESET = "reset mid-COMMIT"
    DISK_FULL = "data disk full"
    SLOW = "slow / lock held"
    HINT = "hint lost"
    READ_ONLY = "read-only after failover"
    PARTITION = "partition, half-open"
    LOSS = "loss"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DELAY = "delay"
    TRUNCATE = "truncate"
    WALL_CLOCK = "wall clock ±1 h"
    LIE_EXECUTION = "lie: wrong executionId"
    LIE_FENCE = "lie: wrong fence"
    LIE_WORKER = "lie: accept of another worker's offer"
    LIE_SECOND = "lie: a second different result"
    LIE_EARLY = "lie: result before accept"
    LIE_FALL = "lie: progress that falls"
    LIE_ANSWER = "lie: an answer that is none"
