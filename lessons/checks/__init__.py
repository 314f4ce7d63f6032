"""How the answers of lesson NN are judged, in NN.py: the references and the known mistakes.

Reading these files gives the answers away: read them after the lesson.
"""
