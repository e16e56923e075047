;;; meta-log-identity.el --- Ed25519 identities of the federation  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.14"))

;;; Commentary:

;; Identities are made, kept and used by the sidecar; a private key never
;; enters Emacs, and signing is a request.  The functions of this file are
;; the only ones of the package that wait: five seconds at most, and then
;; they signal a `user-error'.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-core)

(cl-defstruct (meta-log-identity (:constructor meta-log-identity--make) (:copier nil))
  "An identity.
PEER-ID and PUBLIC-KEY are nil for the own identity until they are asked
for while the sidecar starts: read them with `meta-log-identity-get-peer-id'
and `meta-log-identity-get-public-key'.  FILE is nil for the own identity.
NAME is a nickname or nil."
  peer-id public-key file name)

(defconst meta-log-identity--wait 5
  "Seconds that the functions of this file wait for the sidecar.")

(defun meta-log-identity--ask (method params)
  "Ask the sidecar METHOD with PARAMS and return what it answers."
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start))
  (meta-log-peer-sync-rpc-wait method params meta-log-identity--wait))

(defun meta-log-identity--own (&optional name)
  "Return an object for the own identity, called NAME; it does not wait."
  (let ((known meta-log-peer-sync-core-identity))
    (meta-log-identity--make :peer-id (plist-get known :peer_id)
                             :public-key (plist-get known :public_key)
                             :name (or name (plist-get known :name)))))

(defun meta-log-identity--fill (identity)
  "Make sure that IDENTITY knows its peer id and key; return it."
  (unless (meta-log-identity-peer-id identity)
    (let ((answer (or meta-log-peer-sync-core-identity
                      (meta-log-identity--ask "identity.show" nil))))
      (setf (meta-log-identity-peer-id identity) (plist-get answer :peer_id)
            (meta-log-identity-public-key identity) (plist-get answer :public_key))))
  identity)

(defun meta-log-identity--from-answer (answer name)
  "Return the identity that ANSWER describes, called NAME."
  (meta-log-identity--make :peer-id (plist-get answer :peer_id)
                           :public-key (plist-get answer :public_key)
                           :file (plist-get answer :file)
                           :name name))

;;;###autoload
(defun meta-log-identity-create-peer (&optional peer-id file)
  "Return an identity: a new one in FILE, or the own one.
Without FILE it is the identity of this peer, which the sidecar makes at
its first start and keeps for good.  With FILE a new identity is written
there; an existing file is never replaced.

A peer id is the hash of a key, so it cannot be chosen: PEER-ID is taken
as a nickname.  Only when it has the form of an id must it be the own one."
  (let ((id-p (and (stringp peer-id)
                   (string-match-p "\\`peer-[a-z2-7]\\{52\\}\\'" peer-id))))
    (when (and id-p file)
      (user-error "A peer id is the hash of its key and cannot be chosen; give a \
nickname instead"))
    (if file
        (meta-log-identity--from-answer
         (meta-log-identity--ask
          "identity.create" (list :file (meta-log-peer-sync-core-file-name file)))
         peer-id)
      (let ((identity (meta-log-identity--fill
                       (meta-log-identity--own (and (not id-p) peer-id)))))
        (when (and id-p (not (equal peer-id (meta-log-identity-peer-id identity))))
          (user-error "The identity of this peer is %s; a peer id cannot be chosen"
                      (meta-log-identity-peer-id identity)))
        identity))))

;;;###autoload
(defun meta-log-identity-load-peer (file &optional password)
  "Load the identity in FILE and return it.
PASSWORD is its passphrase, a string, when it is protected by one.  The
identity can sign, with `meta-log-identity-sign-message', until the
sidecar ends."
  (meta-log-identity--from-answer
   (meta-log-identity--ask "identity.load"
                           (list :file (meta-log-peer-sync-core-file-name file)
                                 :passphrase password))
   nil))

;;;###autoload
(defun meta-log-identity-get-peer-id (id)
  "Return the peer id of ID, an identity, a known peer or a peer id.
Nil stands for the own identity."
  (cond ((null id) (meta-log-identity-get-peer-id (meta-log-identity--own)))
        ((meta-log-identity-p id)
         (meta-log-identity-peer-id (meta-log-identity--fill id)))
        ((meta-log-peer-sync-peer-p id) (meta-log-peer-sync-peer-id id))
        (t (meta-log-peer-sync-core-check-peer-id id))))

;;;###autoload
(defun meta-log-identity-get-public-key (id)
  "Return the public key of ID, as 0x and 64 hexadecimal digits.
ID is an identity, a known peer or the id of one; nil is the own identity."
  (cond ((null id) (meta-log-identity-get-public-key (meta-log-identity--own)))
        ((meta-log-identity-p id)
         (meta-log-identity-public-key (meta-log-identity--fill id)))
        ((meta-log-peer-sync-peer-p id) (meta-log-peer-sync-peer-public-key id))
        (t (let ((peer (gethash (meta-log-peer-sync-core-check-peer-id id)
                                meta-log-peer-sync-core-peers)))
             (cond (peer (meta-log-peer-sync-peer-public-key peer))
                   ((equal id (plist-get meta-log-peer-sync-core-identity :peer_id))
                    (plist-get meta-log-peer-sync-core-identity :public_key))
                   (t (user-error "The peer %s has not announced itself yet" id)))))))

;;;###autoload
(defun meta-log-identity-sign-message (id message)
  "Sign MESSAGE with the identity ID; return 0x and 128 hexadecimal digits.
ID is the own identity (or nil), one that was loaded, or the id of one.
MESSAGE is a string, or an object that is encoded as JSON."
  (plist-get (meta-log-identity--ask
              "identity.sign"
              (list :message (meta-log-peer-sync-core-text message)
                    :peer_id (and id (meta-log-identity-get-peer-id id))))
             :signature))

;;;###autoload
(defun meta-log-identity-verify-peer (peer signature message)
  "Return t when SIGNATURE is that of PEER over MESSAGE, else nil.
PEER is an identity, a known peer, the id of one, or a public key, 0x and
64 digits.  SIGNATURE is what `meta-log-identity-sign-message' returned,
MESSAGE the same string or object.  A signature of a wrong form is not
valid; an unknown PEER is a `user-error'."
  (let* ((key-p (and (stringp peer) (string-prefix-p "0x" peer)))
         (key (cond (key-p peer)
                    ((stringp peer) nil)
                    (t (meta-log-identity-get-public-key peer))))
         (id (and (not key-p) (meta-log-identity-get-peer-id peer))))
    (and (stringp signature)
         (<= (length signature) 512)
         (eq t (plist-get
                (meta-log-identity--ask
                 "identity.verify"
                 (list :message (meta-log-peer-sync-core-text message)
                       :signature signature :peer_id id :public_key key))
                :valid)))))

(provide 'meta-log-identity)
;;; meta-log-identity.el ends here
