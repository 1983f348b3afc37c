"""From the scores of test videos to every number that is reported."""
