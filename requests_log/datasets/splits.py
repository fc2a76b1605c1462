"""The split rule: the side a row lands on is a function of its group, never of chance.

The first four bytes of the group's fingerprint (a SHA-256, so uniform) as a number modulo 10,000
are compared with the held-out share in hundredths of a per cent. A group therefore stays on its
side in every version of every dataset, however the dataset grows; raising the share only moves
groups from train to held out.
"""

from __future__ import annotations

from workbench.core.errors import InvalidInput

BUCKETS = 10_000
# For cursor.execute, whose parameter marks make a per cent sign double.
BUCKET_SQL = (
    "((get_byte({0}, 0)::bigint << 24) + (get_byte({0}, 1) << 16)"
    " + (get_byte({0}, 2) << 8) + get_byte({0}, 3)) %% 10000"
)


def threshold(heldout_percent: float) -> int:
    """The number of buckets that are held out."""
    return round(heldout_percent * BUCKETS / 100)


def heldout_share(split: tuple[float, float]) -> float:
    """The held-out per cent of a (train %, held-out %) pair.

    Raises:
        InvalidInput: a share is negative or the two do not make 100.
    """
    train, heldout = split
    if train < 0 or heldout < 0 or abs(train + heldout - 100) > 0.001:
        raise InvalidInput(
            f"The split must make 100 %, such as 90 and 10; {train:g} and {heldout:g} do not."
        )
    return float(heldout)
