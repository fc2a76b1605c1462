"""From the bytes of a streamed answer to the one object it stands for, in every dialect.

Works on whole captures after the stream ended, so it does not matter where the network split them.
The record of a streamed call then looks like that of any other; that it was streamed can be seen
in its request (`"stream": true`).
"""
