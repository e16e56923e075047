;;; meta-log-peer-sync-demo.el --- The calls of the first steps  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, hypermedia

;;; Commentary:

;; Five calls that show the whole: start, who is there, send a canvas,
;; connect.  They start the sidecar with the trust policy `announced': what
;; announced peers sync is verified, saved and shown without a question.
;; A sidecar that runs already keeps its policy, and a message says so when
;; that is stricter.  For daily use there is `meta-log-peer-sync-start'.

;;; Code:

(require 'meta-log-peer-sync-core)
(require 'meta-log-identity)

(defvar meta-log-peer-sync-demo--identity nil
  "The own identity after `meta-log-peer-sync-demo-init'.
An object for `meta-log-identity-get-peer-id' and the like.")

(defun meta-log-peer-sync-demo--start ()
  "Start the sidecar with the policy of the demo, unless one is running."
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start :policy "announced")))

(defun meta-log-peer-sync-demo--tell (status)
  "Say who and where this peer is, by STATUS."
  (message "This peer is %s on %s%s" (plist-get status :peer_id)
           (plist-get (plist-get status :broker) :url)
           (if (equal (plist-get status :policy) "announced") ""
             (format "; its trust policy is `%s', so documents of new peers are \
held back until M-x meta-log-peer-sync-accept-peer" (plist-get status :policy)))))

;;;###autoload
(defun meta-log-peer-sync-demo-init ()
  "Start the peer: its identity, its broker, and an announcement.
Return its identity at once, for `meta-log-identity-get-peer-id'.  A second
call is harmless."
  (interactive)
  (meta-log-peer-sync-demo--start)
  (unless meta-log-peer-sync-demo--identity
    (setq meta-log-peer-sync-demo--identity (meta-log-identity--own)))
  (meta-log-peer-sync-core-request "peers.announce" nil #'ignore #'ignore)
  (meta-log-peer-sync-rpc-refresh-status
   (lambda (status)
     (when (and meta-log-peer-sync-demo--identity (plist-get status :peer_id))
       (setf (meta-log-identity-peer-id meta-log-peer-sync-demo--identity)
             (plist-get status :peer_id)
             (meta-log-identity-public-key meta-log-peer-sync-demo--identity)
             (plist-get status :public_key)))
     (meta-log-peer-sync-demo--tell status)))
  meta-log-peer-sync-demo--identity)

(defun meta-log-peer-sync-demo--peers ()
  "Show the known peers in the echo area and return their ids."
  (let (ids lines)
    (maphash
     (lambda (id peer)
       (unless (equal (meta-log-peer-sync-peer-trust peer) "blocked")
         (push id ids)
         (push (format "  %s%s  %s%s" id
                       (if (meta-log-peer-sync-peer-name peer)
                           (format " (%s)" (meta-log-peer-sync-core-name id)) "")
                       (if (meta-log-peer-sync-peer-online peer) "online" "offline")
                       (if (meta-log-peer-sync-peer-address peer)
                           (concat "  " (meta-log-peer-sync-core-plain
                                         (meta-log-peer-sync-peer-address peer)))
                         ""))
               lines)))
     meta-log-peer-sync-core-peers)
    (message "%s" (concat (format "Found %d peer(s):" (length ids))
                          (mapconcat (lambda (line) (concat "\n" line))
                                     (nreverse lines) "")))
    (nreverse ids)))

;;;###autoload
(defun meta-log-peer-sync-demo-discover-peers ()
  "Show the peers that are known and return the list of their ids.
It answers at once from what is known, and asks for news meanwhile."
  (interactive)
  (meta-log-peer-sync-demo--start)
  (meta-log-peer-sync-core-refresh-peers)
  (meta-log-peer-sync-demo--peers))

;;;###autoload
(defun meta-log-peer-sync-demo-sync-canvasl (file)
  "Sync FILE with all peers; return its absolute name at once.
It waits until the sidecar is ready, is recorded, and goes to every peer
as soon as that peer is there."
  (interactive "fCanvas to sync: ")
  (meta-log-peer-sync-demo--start)
  (meta-log-peer-sync-core-sync-file file))

(declare-function meta-log-webrtc-connect-peer "meta-log-webrtc")

;;;###autoload
(defun meta-log-peer-sync-demo-connect-peer (peer-id)
  "Connect to the peer PEER-ID; return t at once, a message follows."
  (interactive (list (meta-log-peer-sync-core-read-peer "Connect to peer: ")))
  (require 'meta-log-webrtc)
  (meta-log-peer-sync-core-check-peer-id peer-id)
  (meta-log-peer-sync-demo--start)
  (meta-log-webrtc-connect-peer peer-id)
  t)

(provide 'meta-log-peer-sync-demo)
;;; meta-log-peer-sync-demo.el ends here
