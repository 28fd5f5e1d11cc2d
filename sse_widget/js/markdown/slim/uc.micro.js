/** In the bundle for uc.micro, whose tables the browser has: punctuation and symbols. */
export const P = /\p{P}/u;
export const S = /\p{S}/u;
