"""How GPAW is compiled (`make gpaw`): serial, with the libraries where compilers look for them.

GPAW is C++, which its default, the C compiler of Python, does not link.
"""

compiler = "g++"
libraries = ["xc", "openblas", "fftw3"]
fftw = True
