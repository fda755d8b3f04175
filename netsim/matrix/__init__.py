"""Who reaches whom: every sender of a world to every destination, told class by class."""

from netsim.matrix.ends import Ends
from netsim.matrix.survey import Matrix, Row, Share, survey

__all__ = ["Ends", "Matrix", "Row", "Share", "survey"]
