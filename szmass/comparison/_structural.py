"""Likelihood of a straight line with errors in both variables, scatter and a selection cut.

The structural model of Kelly (2007) with one Gaussian: true abscissae are N(mu, tau^2),
true ordinates N(alpha + beta (xi - pivot), sigma^2), and both are measured with Gaussian errors.
Everything is in natural logarithms; the marginal likelihood is analytic.
"""

import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr, stdtrit

# Parameters in the order of theta; the last two describe the population of the abscissae.
ALPHA, BETA, LN_SIGMA, LOCATION, WIDTH = range(5)
_SMALLEST_SIGMA = 1e-3
_LARGEST_SLOPE = 10.0
_STEP = 1e-4


class LineLikelihood:
    """Likelihood of points (N,), its maximum and its profiles; the pivot is at x = 0.

    The slope is None where it is to be fitted; points entered the sample because x, or y, was above
    ``min_x``, or ``min_y`` (N,). With a given slope and no cut the likelihood is that of y - slope
    x alone. Otherwise each point contributes its density in (x, y), divided by the probability that
    it passes the cut.

    The maximum likelihood estimate of a scatter is too small, since residuals are taken from a
    fitted line. As in restricted maximum likelihood (Patterson & Thompson 1971) the factor (sum 1 /
    (sigma^2 + s^2))^(-k/2) makes up for the k fitted parameters of the line, s^2 being the variance
    around it from the errors alone. With a cut in y the factor is left out: there a wide scatter
    far below the cut looks like a narrow one near it, and the factor, which favours the wide one,
    would decide between them.
    """

    def __init__(self, x, y, err_x, err_y, slope=None, min_x=None, min_y=None):
        self.x, self.y = x, y
        self.var_x, self.var_y = err_x**2, err_y**2
        self.slope, self.min_x, self.min_y = slope, min_x, min_y
        self.differences = slope is not None and min_x is None and min_y is None
        free = [ALPHA, BETA, LN_SIGMA, LOCATION, WIDTH]
        if slope is not None:
            free.remove(BETA)
        if self.differences:
            free = [ALPHA, LN_SIGMA]
        self.free = np.array(free)
        self._centre, self._spread = x.mean(), max(x.std(), 1e-3)
        self._truncated = min_x is not None or min_y is not None
        self._correction = self._higher = None
        largest = max(1.0, 3 * y.std())
        width = (np.log(self._spread / 100), np.log(3 * self._spread))
        location = (self._centre - 5 * self._spread, self._centre + 5 * self._spread)
        if self._truncated:
            width = (-2 * np.log(10 * self._spread), -2 * np.log(self._spread / 30))
            location = (-30 / self._spread, 30 / self._spread)
        centre = y.mean()
        self.bounds = np.array(
            [
                (centre - 20 * largest, centre + 20 * largest),
                (-_LARGEST_SLOPE, _LARGEST_SLOPE),
                (np.log(_SMALLEST_SIGMA), np.log(largest)),
                location,
                width,
            ]
        )

    def _population(self, theta):
        """Give mean and variance of the true abscissae.

        A cut leaves the falling end of a distribution, which fits ever wider Gaussians that are
        ever further away. There the parameters are those that stay put: the logarithmic slope of
        the density at the mean of x, and its curvature.
        """
        if not self._truncated:
            return theta[:, LOCATION, None], np.exp(2 * theta[:, WIDTH, None])
        curvature = np.exp(theta[:, WIDTH, None])
        return self._centre - theta[:, LOCATION, None] / curvature, 1 / curvature

    def log_likelihood(self, theta):
        """ln L (P,) of theta (P, 5), up to a constant."""
        alpha, beta = theta[:, ALPHA, None], theta[:, BETA, None]
        scatter = np.exp(2 * theta[:, LN_SIGMA, None])
        if self.differences:
            variance = scatter + self.var_y + beta**2 * self.var_x
            residual = self.y - alpha - beta * self.x
            terms = -0.5 * (residual**2 / variance + np.log(variance))
        else:
            mean_x, tau2 = self._population(theta)
            mean_y = alpha + beta * mean_x
            xx = tau2 + self.var_x
            yy = beta**2 * tau2 + scatter + self.var_y
            xy = beta * tau2
            determinant = xx * yy - xy**2
            dx, dy = self.x - mean_x, self.y - mean_y
            terms = -0.5 * (
                (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / determinant + np.log(determinant)
            )
            if self.min_x is not None:
                terms = terms - log_ndtr((mean_x - self.min_x) / np.sqrt(xx))
            if self.min_y is not None:
                terms = terms - log_ndtr((mean_y - self.min_y) / np.sqrt(yy))
        total = terms.sum(axis=1)
        if self._correction is not None:
            variance, k = self._correction
            total = total - k / 2 * np.log((1 / (scatter + variance)).mean(axis=1))
        return total

    def maximise(self):
        """Find theta (5,) of the largest likelihood, and its logarithm there."""
        self._correction = None
        theta, largest = max(
            (self._climb(start, self.free) for start in self._starts()), key=lambda found: found[1]
        )
        if self.min_y is None:
            around = self.var_x  # variance of the true x of a point
            if not self.differences:
                tau2 = self._population(theta[None])[1][0]
                around = tau2 * self.var_x / (tau2 + self.var_x)
            self._correction = self.var_y + theta[BETA] ** 2 * around, self.line_parameters
            theta, largest = self._climb(theta, self.free)
        return theta, largest

    @property
    def line_parameters(self):
        """Number of parameters of the line that are fitted."""
        return 1 if self.slope is not None else 2

    def threshold(self):
        """Give by how much 2 ln L falls at the end of the 68 % interval.

        It is 1 for a large sample, and nu ln(1 + t^2 / nu) for N points and a
        line of k parameters, with Student's t of nu = N - k degrees of freedom: exact where the
        errors are small beside the scatter.
        """
        n = len(self.x)
        nu = weight = n - self.line_parameters
        if self.min_y is not None:  # the plain likelihood: its scatter counts as a parameter
            nu, weight = nu - 1, n
        t = stdtrit(nu, ndtr(1))
        return weight * np.log1p(t**2 / nu)

    def _starts(self):
        """Give parameters to start from: a least-squares line, and a wider distribution."""
        beta = 1.0 if self.slope is None else self.slope
        if self.slope is None:
            true = max(self.x.var() - np.mean(self.var_x), 0.2 * self._spread**2)
            beta = np.clip(np.cov(self.x, self.y, bias=True)[0, 1] / true, -3, 3)
        residual = self.y - beta * self.x
        sigma = np.sqrt(max(residual.var() - np.mean(self.var_y + beta**2 * self.var_x), 0))
        sigma = max(sigma, 0.3 * residual.std(), 2 * _SMALLEST_SIGMA)
        start = np.array([residual.mean(), beta, np.log(sigma), self._centre, 0.0])
        start[WIDTH] = np.log(0.8 * self._spread)
        if not self._truncated:
            return [start]
        start[LOCATION], start[WIDTH] = 0, -2 * start[WIDTH]
        steep = start.copy()
        steep[LOCATION], steep[WIDTH] = 2 / self._spread, start[WIDTH] - 1
        return [start, steep]

    def _climb(self, theta, free):
        """Maximise over some parameters, the others as they are in theta."""
        lower, upper = self.bounds[free].T
        steps = _STEP * np.eye(len(free))

        def fall(values):
            rows = np.repeat(theta[None], 2 * len(free) + 1, axis=0)
            rows[:, free] = np.concatenate((values[None], values + steps, values - steps))
            likelihood = self.log_likelihood(rows)
            likelihood = np.where(np.isfinite(likelihood), likelihood, -1e10)
            ahead, behind = np.split(likelihood[1:], 2)
            return -likelihood[0], (behind - ahead) / (2 * _STEP)

        start = np.clip(theta[free], lower, upper)
        # L-BFGS-B needs as many steps, and its threads get into each other's way.
        with warnings.catch_warnings():
            # That of SciPy before 1.16 says so where rounding carries it out of bounds.
            warnings.filterwarnings("ignore", "Values in x were outside bounds", RuntimeWarning)
            found = minimize(
                fall,
                start,
                jac=True,
                method="SLSQP",
                bounds=list(zip(lower, upper, strict=True)),
                options={"ftol": 1e-8, "maxiter": 200},
            )
        result = theta.copy()
        result[free] = found.x
        return result, -found.fun

    def intervals(self):
        """Find theta (5,) of the largest likelihood, and by parameter both ends of its interval.

        An end is infinite where the profile likelihood does not fall to the threshold.
        """
        theta, largest = self.maximise()
        depth = np.sqrt(self.threshold())
        for _ in range(3):
            self._higher = None
            ends = {BETA: (self.slope, self.slope)} | {
                which: tuple(self._end(which, theta, largest, side, depth) for side in (-1, 1))
                for which in (ALPHA, BETA, LN_SIGMA)
                if which in self.free
            }
            if self._higher is None:
                break
            theta, largest = self._climb(self._higher, self.free)  # a profile found another top
        return theta, ends

    def _end(self, which, theta, largest, side, depth):
        """Find where the root of twice the fall of the profile, nearly linear, equals depth."""
        bound = self.bounds[which][(side + 1) // 2]
        others = self.free[self.free != which]
        inner, outer = (theta[which], -depth), None
        fixed = theta.copy()
        fixed[which] = theta[which] + side * self._guess(which, theta)
        for _ in range(40):
            fixed[which] = side * min(side * fixed[which], side * bound)
            fixed, height = self._climb(fixed, others)
            if height > largest + 1e-3:
                self._higher = fixed.copy()
            excess = np.sqrt(max(2 * (largest - height), 0)) - depth
            here = (fixed[which], excess)
            if abs(excess) < 2e-3 * depth:
                return fixed[which]
            if excess > 0:
                outer = here
            elif fixed[which] == bound:
                return side * np.inf
            else:
                inner = here
            if outer is None:  # go on, at most three times as far
                reach = (fixed[which] - theta[which]) * np.clip(
                    depth / max(excess + depth, depth / 3), 1.2, 3
                )
                fixed[which] = theta[which] + reach
            else:
                share = np.clip(-inner[1] / (outer[1] - inner[1]), 0.05, 0.95)
                fixed[which] = inner[0] + share * (outer[0] - inner[0])
        return fixed[which]

    def _guess(self, which, theta):
        """Guess the distance to an end from the curvature of the likelihood along one axis."""
        rows = np.repeat(theta[None], 3, axis=0)
        rows[:, which] += np.array([0.0, 1e-2, -1e-2])
        centre, ahead, behind = self.log_likelihood(rows)
        curvature = (2 * centre - ahead - behind) / 1e-4
        return np.clip(1.2 / np.sqrt(max(curvature, 1e-8)), 1e-4, 0.5)
