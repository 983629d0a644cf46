"""The method: which frames make a pair, what is drawn, and the operators in their order."""
