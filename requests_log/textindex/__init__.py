"""The text index: which requests hold a text, answered without reading every text.

A digest keeps the request's folded text (`folding`). Which three-byte sequences a text holds is
kept in segments of up to 2,048 requests (`segments`, `sealing`); a search reads the segments,
newest first (`candidates`), and only the texts of requests that may match are looked at
(`requests_log.finding`). Requests in no segment yet are candidates all.
"""
