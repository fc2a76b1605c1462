"""Every way a run can fail, as an exit code and a sentence."""

from __future__ import annotations

import errno

from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.job import JobProblem

_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Writers in Rust and C++ tell of a full disk only in words.
_DISK_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")
_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "CUDA out of memory")


def as_stopped(error: Exception) -> TrainingStopped:
    """The failure as people should be told it; a traceback belongs on stderr only."""
    if isinstance(error, TrainingStopped):
        return error
    if isinstance(error, JobProblem):
        return TrainingStopped(ExitCode.BAD_DATA, "bad_job", str(error))
    if isinstance(error, ImportError) and _library(error) in _LIBRARIES:
        return _library_missing(_library(error))
    if _is_memory(error):
        return _out_of_memory()
    if _is_disk(error):
        return _disk_full()
    return TrainingStopped(
        ExitCode.UNEXPECTED,
        "unexpected",
        f"The trainer met an unexpected error ({type(error).__name__}: {error}). "
        "Start the run again; if it fails again, report the trainer's log.",
    )


def _library(error: ImportError) -> str:
    return (error.name or "").split(".")[0]


def _is_memory(error: Exception) -> bool:
    # The CUDA class is known by name, so that this module needs no torch.
    named = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
    return named or any(words in str(error) for words in _MEMORY_WORDS)


def _is_disk(error: Exception) -> bool:
    by_number = isinstance(error, OSError) and error.errno in _DISK_ERRORS
    return by_number or any(words in str(error) for words in _DISK_WORDS)


def _library_missing(name: str) -> TrainingStopped:
    return TrainingStopped(
        ExitCode.UNEXPECTED,
        "training_library_missing",
        f"The library “{name}” is not installed on this host, so nothing can be trained here. "
        "Install Stillhouse with its `train` extra, or run the trainer image.",
    )


def _out_of_memory() -> TrainingStopped:
    return TrainingStopped(
        ExitCode.OUT_OF_MEMORY,
        "out_of_memory",
        "The run needs more memory than there is. Halve the batch size and double the gradient "
        "accumulation, lower the maximum length, or choose a smaller base model.",
    )


def _disk_full() -> TrainingStopped:
    return TrainingStopped(
        ExitCode.DISK_FULL,
        "disk_full",
        "The disk is full. Free some space and start the run again; it goes on from its last "
        "checkpoint.",
    )
