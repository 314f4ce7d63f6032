"""A solution of every exercise, in NN.py: functions of the names used in lesson NN."""
