"""The parts of ``scripts/study.py``: the plan, one run, the queue, and the comparison of rows."""
