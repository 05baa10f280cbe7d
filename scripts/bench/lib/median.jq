# The median; of an even number, the mean of the two in the middle.
def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
