"""``make fuzz``: hostile and merely strange input, by the ten thousand.

Each case follows from a seed and its number. It is either made, so that its right answer is known
and compared, or damaged at random, so that it must end in a documented error or in something sound.
Cases run in worker processes with a time limit for each and a bound on their memory: a crash, a
hang or a blow-up is a failure of that case, and the next one goes on. ``--kind KIND --from N
--count 1 --jobs 1`` repeats one.
"""
