import DiffNNP
