"""Results that benchmarks of identification keep in files, and the tables that are printed of them.

kept       results of one run and one state of the code, so that a run can be stopped and continued
identify   the tables of bench.identify
"""
