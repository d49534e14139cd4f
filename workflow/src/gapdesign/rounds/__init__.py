"""Rounds: designs that continue others by what the labels and the model of these say.

:mod:`.options` in the configuration, and :mod:`.chain` the designs that stand for `rounds`; :mod:`.learnt` is what
labels say, :mod:`.continued` the next choice by that, :mod:`.gains` what it is expected to be worth, and :mod:`.judged`
what it was.
"""
