"""Settings with which `make gpaw` compiles GPAW: serial, with the libraries where compilers look for them.

GPAW is written in C++. By default it is built with Python's C compiler, which does not link C++.
"""

compiler = "g++"
libraries = ["xc", "openblas", "fftw3"]
fftw = True
