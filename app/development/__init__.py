"""What only development on embedded servers has: the plug that operators can pull, and the guide that answers.

`chat up` says in the environment of its processes that they belong to such a start (`local_start`). Without that, every
route of this package is 404 and the guide does not run.
"""
